"""Which registers a function may still read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.liveness import Liveness
from iopermit.kernel.cpu.registers import NAMES, RFLAGS
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.linker import Image, link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RSI, RDI, RBX, RCX = 8, 9, 5, 6
RAX = NAMES.index("rax")

SAMPLE = """
__attribute__((noinline)) long one(long a) { return a + 1; }
long two(long a, long b) { return one(b); }
"""


INDIRECT = """
extern long (*pv_ops)(void);
long (*pv_ops)(void);
__attribute__((noinline)) long operation(void) { return 5; }
long (*const table[])(void) = { operation };
long through(long a) { return pv_ops() + a; }
long other(void) { return 1; }
"""


@pytest.fixture
def image(require: Callable[[str], Path], tmp_path: Path) -> Image:
    """Link the sample."""
    return link([compiled(tmp_path, SAMPLE, gcc=require("gcc"))], (), {})


def test_arguments_that_are_never_read_are_dead(image: Image) -> None:
    """one() reads its first argument only; two() passes on its second one only."""
    liveness = Liveness(image)
    one, two = (liveness.live(image.address(name)) for name in ("one", "two"))
    assert one >> RDI & 1
    assert not one >> RSI & 1
    assert two >> RSI & 1
    assert not two >> RDI & 1


def test_saved_registers_live_for_the_caller(image: Image) -> None:
    """A callee-saved register may be read after the return; a scratch register may not."""
    live = Liveness(image).live(image.address("one"))
    assert live >> RBX & 1
    assert not live >> RCX & 1


def test_cleaning_sets_dead_registers_to_zero(image: Image) -> None:
    """Only what may be read, and RIP and RSP, keep their values."""
    values = tuple(range(1, len(NAMES) + 1))
    values = (image.address("one"), 0x202, *values[2:])
    cleaned = Liveness(image).clean(values)
    assert cleaned[:1] == values[:1]
    assert cleaned[RDI] == values[RDI]
    assert cleaned[RSI] == 0


def test_everything_is_live_outside_functions(image: Image) -> None:
    """Where nothing is known every register is kept."""
    values = (0x1234, *range(2, len(NAMES) + 1))
    assert Liveness(image).clean(values) == values


def test_a_function_of_the_host_reads_no_flags(image: Image) -> None:
    """A context that stops in kfree() keeps its arguments and what its caller may read."""
    live = Liveness(image).live(at.HOST)
    assert live >> RDI & 1
    assert live >> RBX & 1
    assert not live >> RFLAGS & 1


def test_nothing_is_dead_at_an_indirect_call(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """A paravirtual operation may keep every register: before the call and in it all are live."""
    linked = link([compiled(tmp_path, INDIRECT, gcc=require("gcc"))], (), {})
    liveness = Liveness(linked)
    every = (1 << len(NAMES)) - 1
    overwritten = 1 << RAX
    assert liveness.live(linked.address("operation")) | overwritten | 1 << RFLAGS == every
    assert not liveness.live(linked.address("other")) >> RCX & 1
    start = linked.address("through")
    live = [liveness.live(start + offset) for offset in range(20)]
    assert every in live
