"""Open files, names of files, pipes, and files that are not the host's."""
