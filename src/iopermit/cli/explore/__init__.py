"""The verb that lets a person step through a design."""
