"""iopermit checks designs of how an x86 kernel maintains the TSS I/O permission bitmap."""

__version__ = "0.1.0"
