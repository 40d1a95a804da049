"""Random designs: generates well-typed designs and mutants, and has every checker judge each."""
