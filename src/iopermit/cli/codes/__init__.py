"""The verb that explains the codes of findings."""
