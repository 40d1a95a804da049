"""All planted faults and harmless edits, and which of them every test run checks."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from tests.support.kernel.hidden_faults import HIDDEN_FAULTS
from tests.support.kernel.planted.documented import DOCUMENTED_FAULTS
from tests.support.kernel.planted.harmless import HARMLESS_EDITS
from tests.support.kernel.planted.never_asked import NEVER_ASKED_FAULTS
from tests.support.kernel.planted.own import OWN_FAULTS
from tests.support.kernel.planted.sleeping import SLEEPING_FAULTS
from tests.support.kernel.planted.unsound import UNSOUND_FAULTS
from tests.support.kernel.planted.xen import XEN_FAULTS
from tests.support.kernel.rule_faults import RULE_FAULTS

if TYPE_CHECKING:
    from tests.support.kernel.planted.fault import PlantedFault

CORPUS: Final[dict[str, PlantedFault]] = {
    **HIDDEN_FAULTS,
    **UNSOUND_FAULTS,
    **RULE_FAULTS,
    **NEVER_ASKED_FAULTS,
    **DOCUMENTED_FAULTS,
    **OWN_FAULTS,
    **SLEEPING_FAULTS,
    **XEN_FAULTS,
    **HARMLESS_EDITS,
}


def is_always_checked(name: str) -> bool:
    """Return whether continuous integration checks one: a third, whatever else there is."""
    return zlib.crc32(name.encode()) % 3 == 0


def is_in_sample(name: str) -> bool:
    """Return whether every test run checks one: a ninth, of that third."""
    return zlib.crc32(name.encode()) % 9 == 0
