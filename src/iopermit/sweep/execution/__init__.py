"""How a job becomes a process, on this machine or on a node of a cluster, and its end a result."""
