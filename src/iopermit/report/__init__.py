"""Verdicts as text, JSON, SARIF and JUnit XML. Knows the results of a search, not the search."""
