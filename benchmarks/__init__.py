"""Measures iopermit against Spin, and how its cost grows: `python -m benchmarks`."""
