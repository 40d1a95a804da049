"""The process that the command runs in: its standard streams, its signals, and what ended it."""
