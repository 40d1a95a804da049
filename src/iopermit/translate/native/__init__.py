"""Native code: a model as LLVM instructions, with the inner loops of the search."""
