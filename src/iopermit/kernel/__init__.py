"""Real kernel trees: build the objects that keep the bitmap, load, execute and drive them."""
