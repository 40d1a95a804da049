"""What the reductions rest on, as formulas about single steps that a solver discharges."""
