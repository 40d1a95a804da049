"""The designs: how kernels keep the TSS I/O permission bitmap in step with the running task."""

from __future__ import annotations

import difflib
from typing import Final

from iopermit.designs.linux.v2_06 import LinuxV2Patch06
from iopermit.designs.linux.v5_5 import Linux55
from iopermit.system.design import Design

_DESIGNS: Final[tuple[type[Design], ...]] = (
    LinuxV2Patch06,
    Linux55,
)


class UnknownDesignError(KeyError):
    """There is no design with the wanted id; ``close`` has the ids that look like it."""

    def __init__(self, name: str, close: list[str]) -> None:
        self.name, self.close = name, close
        super().__init__(name)

    def __str__(self) -> str:
        """Return one sentence that names the remedy."""
        hint = (
            f"did you mean {' or '.join(self.close)}?" if self.close else "see the list of designs"
        )
        return f"there is no design {self.name!r}; {hint}"


def designs() -> dict[str, type[Design]]:
    """Return every design by its id, in historical order, fixtures last."""
    return {design.id: design for design in _DESIGNS}


def find(name: str) -> type[Design]:
    """Return the design with the id ``name``. Raises :class:`UnknownDesignError`."""
    known = designs()
    if name not in known:
        raise UnknownDesignError(name, difflib.get_close_matches(name, known, n=3))
    return known[name]
