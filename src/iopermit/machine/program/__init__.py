"""Programs as they lie in files: ELF, and the first stack."""
