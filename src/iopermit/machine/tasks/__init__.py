"""Tasks and processes: identity, signals, futexes, traps, and the scheduler."""
