"""The sequential conformance pass: what single calls return and allow, and what must be called."""
