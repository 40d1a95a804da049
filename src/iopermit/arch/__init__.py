"""The processor: the TSS layout and the I/O permission check. Knows no kernel."""
