"""How kernel code can end otherwise than by returning."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Crash:
    """The kernel would crash, or warn and go on with broken state.

    Attributes:
        message: what happened, in one clause.
        address: of the instruction.
    """

    message: str
    address: int
