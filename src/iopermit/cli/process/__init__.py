"""The process that the command runs in: streams, signals, missing libraries, internal errors."""
