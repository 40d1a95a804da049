"""The built objects as one image in memory, with its debug information."""
