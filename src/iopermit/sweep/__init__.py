"""Sweeps: many checks by one description, in processes of their own, kept in a database."""
