"""What keeps programs from the host: the walk through its files, the broker, the sandbox."""
