"""Stored states in bulk: hashed, expanded, looked up, kept in files."""
