"""Who keeps the states of hash partitions: memory, or files."""
