"""Runs hooks as they stand, whole and at full size: for programs, and to count what they cost."""
