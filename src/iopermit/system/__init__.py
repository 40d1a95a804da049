"""What every kernel has: CPUs, tasks, a heap, events, grants, and the specification."""
