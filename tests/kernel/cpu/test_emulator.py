"""Tests of iopermit.kernel.cpu.emulator: what a call begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.emulator import Emulator
from iopermit.kernel.cpu.registers import RSP
from iopermit.kernel.execution.host.functions import DATA, FUNCTIONS
from iopermit.kernel.image.linker import link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = 0x7000_0000


@pytest.mark.parametrize("offset", range(0, 32, 8))
def test_a_call_begins_on_a_stack_without_leftovers(
    require: Callable[[str], Path], tmp_path: Path, offset: int
) -> None:
    """The stack is aligned as the ABI wants it, and nothing old lies above the return address."""
    object_file = compiled(tmp_path, "long nothing(void) { return 0; }", gcc=require("gcc"))
    emulator = Emulator(link([object_file], FUNCTIONS, DATA))
    emulator.map(STACK, 0x1000)
    emulator.write(STACK, b"\xaa" * 0x1000)
    top = STACK + 0x800 + offset
    stack = emulator.prepared(0, [], top, 2)[RSP]
    assert (stack + 8) % 16 == 0
    assert top - 24 < stack < top
    assert emulator.read(stack + 8, top - stack - 8) == bytes(top - stack - 8)
    assert emulator.read(top, 8) == b"\xaa" * 8
