"""Generates random designs: what they declare, their hooks, and mistakes and additions in them."""
