"""Builds the objects of a kernel tree that keep the bitmap: patches, overlay, Kbuild, cache."""
