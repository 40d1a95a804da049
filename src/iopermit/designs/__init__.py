"""The designs: how kernels keep the TSS I/O permission bitmap in step with the running task."""

from __future__ import annotations

import difflib
from typing import Final

from iopermit.designs.fixtures import FixtureTssLimit, FixtureXenIopl
from iopermit.designs.linux.commit_060aa16f import Linux060aa16f, Linux060aa16fNullCheck
from iopermit.designs.linux.commit_ecc7e37d import LinuxEcc7e37d
from iopermit.designs.linux.v2_06 import LinuxV2Patch06
from iopermit.designs.linux.v2_06_reviewed import (
    LinuxV2Patch06Reviewed,
    LinuxV2Patch06ReviewedPrevMax,
)
from iopermit.designs.linux.v2_4_20 import Linux2420
from iopermit.designs.linux.v2_6_8 import Linux268
from iopermit.designs.linux.v2_6_9 import Linux269
from iopermit.designs.linux.v2_6_10 import Linux2610, Linux2610L1, Linux2610L2
from iopermit.designs.linux.v5_4 import Linux54
from iopermit.designs.linux.v5_5 import Linux55
from iopermit.designs.linux.v5_5_xen_pv import Linux55XenPv
from iopermit.designs.linux.v5_7 import Linux57
from iopermit.designs.linux.v5_8 import Linux58
from iopermit.designs.linux.v5_8_xen_pv import Linux58XenPv
from iopermit.designs.linux.v6_16 import Linux616, Linux616PreemptOff
from iopermit.system.design import Design

_DESIGNS: Final[tuple[type[Design], ...]] = (
    Linux2420,
    Linux268,
    Linux269,
    Linux2610L1,
    Linux2610L2,
    Linux2610,
    Linux54,
    LinuxV2Patch06,
    LinuxV2Patch06Reviewed,
    LinuxV2Patch06ReviewedPrevMax,
    LinuxEcc7e37d,
    Linux060aa16f,
    Linux060aa16fNullCheck,
    Linux55,
    Linux55XenPv,
    Linux57,
    Linux58,
    Linux58XenPv,
    Linux616,
    Linux616PreemptOff,
    FixtureTssLimit,
    FixtureXenIopl,
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
