"""A search on several machines: Ray starts an owner of partitions on each, and moves the states."""
