"""What a verb has found, written everywhere it is wanted."""
