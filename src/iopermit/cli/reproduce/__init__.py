"""The verb that executes a counterexample on a booted kernel."""
