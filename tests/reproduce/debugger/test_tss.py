"""A TSS is read by the processor's task register, and judged by the permission check."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.reproduce.stub import DebuggerStub

from iopermit.arch import TssFormat, build_tss
from iopermit.engine.trace import SelectedMap
from iopermit.reproduce.debugger.remote import RemoteDebugger
from iopermit.reproduce.debugger.tss import read_tss, selected, task_register
from iopermit.reproduce.image.layout import KernelLayout

LAYOUT = KernelLayout(0, 4, 8, 24, 120, 8400, (112, 104, 96), None, None)
REGISTERS = """
CPU#0
RAX=0000000000000000
TR =0040 fffffe0000003000 00004087 00008900 DPL=0 TSS64-avl
CPU#1
TR =0040 fffffe000003e000 00000067 00008b00 DPL=0 TSS64-busy
"""


def test_the_task_register_of_each_cpu_is_found() -> None:
    """Base and limit are those of the CPU that was asked for."""
    assert task_register(REGISTERS, 0) == (0xFFFFFE0000003000, 0x4087)
    assert task_register(REGISTERS, 1) == (0xFFFFFE000003E000, 0x67)


@pytest.mark.parametrize(
    ("base", "limit", "wanted"),
    [
        (120, 16519, SelectedMap.VALID),
        (8400, 16519, SelectedMap.ALL_PORTS),
        (16520, 16519, SelectedMap.PAST_LIMIT),
        (120, 103, SelectedMap.PAST_LIMIT),
        (104, 16519, SelectedMap.OTHER),
    ],
)
def test_the_base_selects_one_of_the_kernels_maps(
    base: int, limit: int, wanted: SelectedMap
) -> None:
    """A base is told by what the kernel has there; past the limit nothing is selected."""
    assert selected(base, limit, LAYOUT) is wanted


def test_a_kernel_without_a_map_of_every_port_never_selects_it() -> None:
    """Before Linux 5.5 the TSS has one map, and a base elsewhere is neither."""
    layout = replace(LAYOUT, map_in_tss=104, all_ports=None)
    assert selected(104, 8303, layout) is SelectedMap.VALID
    assert selected(112, 8303, layout) is SelectedMap.OTHER
    assert selected(0x8000, 8303, layout) is SelectedMap.PAST_LIMIT


@pytest.mark.parametrize(("eflags", "allowed"), [(0, ((3, 8),)), (0x3000, ((0, 65535),))])
def test_the_permission_check_judges_every_port(
    eflags: int, allowed: tuple[tuple[int, int], ...]
) -> None:
    """In user mode the bitmap decides, unless the task has IOPL 3."""
    bitmap = bytearray(b"\xff" * 8193)
    bitmap[0:2] = b"\x07\xfe"
    tss = build_tss(TssFormat.TSS64, io_map_base=120, bitmap=bytes(bitmap))
    image = bytes(tss.image)
    answers = {
        f"qRcmd,{b'info registers -a'.hex()}": [f"O{_of(tss.limit).hex()}|OK"],
        **{
            f"m{0x1000 + at:x},{len(image[at : at + 2000]):x}": [image[at : at + 2000].hex()]
            for at in range(0, len(image), 2000)
        },
    }
    with DebuggerStub(answers) as stub:
        seen = read_tss(RemoteDebugger(stub.client, 60), LAYOUT, 0, eflags)
    assert (seen.base, seen.limit, seen.selected) == (120, tss.limit, SelectedMap.VALID)
    assert seen.allowed == allowed


def _of(limit: int) -> bytes:
    return f"CPU#0\nTR =0040 {0x1000:016x} {limit:08x} 00008900\n".encode()
