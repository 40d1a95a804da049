"""Real programs on a design: CPU back ends, ELF loading, system calls, port devices."""
