"""What was seen of a counterexample on a booted kernel: as typed values, as text, as JSON."""
