"""Searches of designs beyond one memory: the level loop, its owners of states, checkpoints."""
