"""The search over the states of a kernel tree: what can happen, what is wrong, the schedule."""
