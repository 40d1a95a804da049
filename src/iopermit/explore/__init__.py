"""A person steps through a design: chooses what happens next, goes back, asks for a violation."""
