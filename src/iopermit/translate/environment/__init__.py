"""The environment of a design: system calls, scheduler and specification as rules and steps."""
