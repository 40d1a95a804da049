"""`iopermit sweep`: many checks by one description."""
