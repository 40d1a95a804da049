"""Checkpoints: what a search writes to a directory so that it can go on after its process ended."""
