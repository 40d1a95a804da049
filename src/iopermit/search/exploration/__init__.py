"""The breadth-first search of a compiled model: the level loop, the visited set, native code."""
