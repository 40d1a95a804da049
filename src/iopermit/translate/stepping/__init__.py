"""A design as it stands, step by step: the plain Python reading."""
