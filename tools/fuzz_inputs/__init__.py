"""Random inputs of the command: saved files, command lines, streams and signals."""
