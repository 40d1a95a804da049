"""Instructions whose results are no function of the state: code with them gets no HOLDS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import capstone
from capstone import x86_const as x86

from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.kernel.image.linker import Image

_REFUSED: Final = {
    x86.X86_INS_RDTSC: "a time stamp (RDTSC)",
    x86.X86_INS_RDTSCP: "a time stamp (RDTSCP)",
    x86.X86_INS_RDRAND: "a random number (RDRAND)",
    x86.X86_INS_RDSEED: "a random number (RDSEED)",
    x86.X86_INS_CPUID: "what processor it is (CPUID)",
    x86.X86_INS_RDPMC: "a performance counter (RDPMC)",
}


def refused(image: Image, executed: Iterable[tuple[int, int]]) -> str:
    """Return why executed code makes every verdict but a violation undetermined; or nothing.

    Args:
        image: the code.
        executed: address and size of the basic blocks that were executed.
    """
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for start, size in sorted(executed):
        code = image.code[start - at.IMAGE : start - at.IMAGE + size]
        for instruction in disassembler.disasm(code, start):
            if instruction.id in _REFUSED:
                function = image.function_at(instruction.address)
                where = f"{function.name}()" if function is not None else f"{start:#x}"
                what = _REFUSED[instruction.id]
                return f"{where} reads {what}, which is not the same in every run"
    return ""
