"""The state of the emulated kernel between two transitions, and its canonical form."""
