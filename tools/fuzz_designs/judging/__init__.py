"""Judges one design with every checker, compares what they say, and shrinks what disagrees."""
