"""Kernel code that needs what nobody defines: one message names all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.emulator import Emulator
from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.execution.functions import BRING_UP
from iopermit.kernel.execution.host.functions import DATA, FUNCTIONS
from iopermit.kernel.execution.undefined import raise_if_undefined, undefined_symbols
from iopermit.kernel.image.linker import Image, link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STACK = 0x7000_0000
SAMPLE = """
extern void nobody(void), somebody(void), unreached(void), kfree(void *);
extern long absent;
extern int loud(int);
static __attribute__((noinline)) void inner(void) { somebody(); }
long calls(void) { nobody(); return 0; }
long reads(void) { return absent; }
__attribute__((noinline)) long both(void) { inner(); nobody(); kfree(0); return absent; }
void iopermit_bring_up(int cpu) { both(); }
void never(void) { unreached(); }
void tail(void) { loud(1); }
"""


@pytest.fixture
def image(require: Callable[[str], Path], tmp_path: Path) -> Image:
    """Link the sample."""
    return link([compiled(tmp_path, SAMPLE, gcc=require("gcc"))], FUNCTIONS, DATA)


def refusal(image: Image, name: str) -> str:
    """Return how the call of a function is refused."""
    emulator = Emulator(image)
    emulator.map(STACK, 0x2000)
    fault = emulator.resume(emulator.prepared(image.address(name), [], STACK + 0x1000, 2))
    assert fault is not None
    with pytest.raises(KernelTreeError) as refused:
        raise_if_undefined(emulator, fault)
    return str(refused.value)


@pytest.mark.parametrize(("name", "symbol"), [("calls", "nobody"), ("reads", "absent")])
def test_what_is_reached_is_named_with_who_needs_it(image: Image, name: str, symbol: str) -> None:
    """A function and a variable without definition are named where they are used."""
    assert refusal(image, name).startswith(f"{name}() in sample.o needs {symbol}, which neither")


def test_everything_that_can_be_reached_is_in_one_message(image: Image) -> None:
    """What other functions need that are called from there, or from outside, is named too."""
    lines = refusal(image, "calls").splitlines()
    assert "calls() in sample.o needs nobody" in lines[0]
    assert "  absent: both() in sample.o" in lines
    assert "  somebody: inner() in sample.o" in lines
    assert not any("unreached" in line or "loud" in line or "kfree" in line for line in lines)


def test_a_symbol_is_listed_with_all_who_need_it(image: Image) -> None:
    """Functions are followed by their calls; each is named with its object."""
    starts = [image.function_at(image.address(name)) for name in (BRING_UP, "calls")]
    found = undefined_symbols(image, [one for one in starts if one is not None])
    assert found == {
        "absent": ["both() in sample.o"],
        "nobody": ["both() in sample.o", "calls() in sample.o"],
        "somebody": ["inner() in sample.o"],
    }


def test_another_fault_is_none_of_this(image: Image) -> None:
    """A fault at an address that is no symbol's is left to whoever knows what it means."""
    emulator = Emulator(image)
    emulator.map(STACK, 0x2000)
    fault = emulator.resume(emulator.prepared(0x10, [], STACK + 0x1000, 2))
    assert fault is not None
    raise_if_undefined(emulator, fault)
