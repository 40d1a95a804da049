"""The parser of the command line: help in groups, examples, completion."""
