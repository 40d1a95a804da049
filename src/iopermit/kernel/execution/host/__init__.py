"""Plays the rest of the kernel: what its functions do, and on what they do it."""
