"""The options for searches beyond one memory."""
