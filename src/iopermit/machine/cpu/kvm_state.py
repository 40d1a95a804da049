"""What a vCPU starts with: segments, FPU, and what CPUID tells programs."""

from __future__ import annotations

from typing import Final

from iopermit.machine.cpu.kvm_api import FPU_SIZE, KvmSegment
from iopermit.machine.cpu.tables import USER_CODE, USER_CODE_32, USER_DATA

_RIGHTS: Final = {"present": 1, "dpl": 3, "s": 1, "g": 1, "limit": 0xFFFF_FFFF}
CPUID_MASKS: Final[dict[int, tuple[int, int, int, int]]] = {
    1: (0xFFFF_FFFF, 0xFFFF_FFFF, ~0x7D20_1008, 0xFFFF_FFFF),
    7: (0, 0x0000_0200, 0, 0),
    0xD: (0, 0, 0, 0),
    0x8000_0001: (0xFFFF_FFFF, 0xFFFF_FFFF, 0x21, 0xFFFF_FFFF),
}
"""What programs may know of the processor: up to SSE4.2, nothing that needs XSAVE."""


def fresh_fpu() -> bytes:
    """Return the FPU and vector registers of a fresh program, as struct kvm_fpu."""
    data = bytearray(FPU_SIZE)
    data[128:130] = (0x37F).to_bytes(2, "little")
    data[408:412] = (0x1F80).to_bytes(4, "little")
    return bytes(data)


def set_segment(segment: KvmSegment, **values: int) -> None:
    """Set fields of a segment."""
    for name, value in values.items():
        setattr(segment, name, value)


def user_segments(bits: int) -> dict[str, bytes]:
    """Return the segment registers of a fresh program, as struct kvm_segment."""
    wide = bits == 64
    code, data, null = KvmSegment(), KvmSegment(), KvmSegment(unusable=1)
    set_segment(code, **_RIGHTS, selector=USER_CODE if wide else USER_CODE_32, type=11)
    code.l, code.db = int(wide), int(not wide)
    set_segment(data, **_RIGHTS, selector=USER_DATA, type=3, db=1)
    others = bytes(null) if wide else bytes(data)
    return {
        "cs": bytes(code), "ss": bytes(data), "ds": others, "es": others,
        "fs": bytes(null), "gs": bytes(null),
    }  # fmt: skip
