"""The ways of keeping the TSS in step with the running task, by which designs are grouped."""

from typing import Final

MAP_EQUALS_CURRENT: Final = "map equals current"
"""The map in the TSS is the current task's own map, so ioperm may patch it in place."""

STALE_MAP_AND_TAG: Final = "stale map and tag"
"""A stale map stays behind an invalid base; a dirty mark and a tag say what must be copied."""

LOAD_ON_FAULT: Final = "load on fault"
"""The map is loaded when the first access faults."""

HYPERVISOR_READS_MAP: Final = "hypervisor reads map"
"""A hypervisor reads the guest's map when a port access traps to it."""
