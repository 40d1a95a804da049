"""What is wrong with what a sweep was given: its description, a repository, the database."""


class SweepError(Exception):
    """A sweep cannot begin or go on; ``str()`` says what is wrong, where, and what to do."""
