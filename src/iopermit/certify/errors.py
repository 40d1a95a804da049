"""What can end the checking of a certificate."""

from __future__ import annotations


class Refuted(Exception):  # noqa: N818 - a result, not a mistake
    """The certificate proves nothing: ``str()`` says what is wrong with it.

    Attributes:
        member: the number of the member of the set where that shows, from 0; -1: of none.
    """

    def __init__(self, message: str, member: int = -1) -> None:
        super().__init__(message, member)
        self.member = member

    def __str__(self) -> str:
        """Return what is wrong."""
        return str(self.args[0])


class UnacceptableError(ValueError):
    """A file that is no certificate, or a design that this checker cannot interpret."""


class LimitError(Exception):
    """A limit was reached before there was a result."""
