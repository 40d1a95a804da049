"""The design language in this checker's own words: what the steps are, and what each does."""
