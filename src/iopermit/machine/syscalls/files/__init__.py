"""System calls about files: by descriptor, by name, about readiness."""
