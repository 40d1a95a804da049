"""How values, fields and statements of a model become LLVM instructions."""
