"""The exhaustive search over the schedules of a design."""
