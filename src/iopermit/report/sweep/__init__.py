"""Reports about sweeps: the facts, and their forms."""
