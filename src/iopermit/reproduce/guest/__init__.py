"""What the guest executes: a file system with one program and its commands; what it tells."""
