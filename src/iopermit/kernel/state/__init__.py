"""The state of the emulated kernel between two segments, and its canonical form."""
