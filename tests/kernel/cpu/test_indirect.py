"""Which functions are called through a pointer, told from the bytes of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.indirect import indirectly_called
from iopermit.kernel.image.linker import Image, link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPERATIONS = "void *pv_ops[1];\n"
SAMPLE = """
__attribute__((noinline)) long directly(long a) { return a + 1; }
__attribute__((noinline)) long in_table(long a) { return a + 2; }
long (*const table[])(long) = { in_table };
__attribute__((noinline)) long stored(long a) { return a + 3; }
extern long (*pointer)(long);
long (*pointer)(long);
void store(void) { pointer = stored; }
__attribute__((noinline)) long jumped_to(long a) { return a + 4; }
long calls(long a) { return directly(a) + 1; }
asm(".text\\n.globl jumps\\n.type jumps, @function\\njumps: jmp jumped_to\\n.size jumps, .-jumps\\n"
    ".globl near\\n.type near, @function\\nnear: jmp local\\n.size near, .-near\\n"
    ".type local, @function\\nlocal: ret\\n.size local, .-local\\n");
extern long jumps(long), near(long);
long (*const more[])(long) = { jumps, near };
"""


def called(require: Callable[[str], Path], directory: Path, source: str) -> set[str]:
    """Return the names of the functions of a program that may be called through a pointer."""
    image = link([compiled(directory, source, gcc=require("gcc"))], (), {})
    return _names(image)


def _names(image: Image) -> set[str]:
    found = indirectly_called(image)
    return {function.name for function in image.functions if function.start in found}


def test_addresses_in_tables_and_code_count(require: Callable[[str], Path], tmp_path: Path) -> None:
    """A function in a table, and one whose address is stored, may be called; others are not."""
    found = called(require, tmp_path, OPERATIONS + SAMPLE)
    assert {"in_table", "stored"} <= found
    assert not {"directly", "calls", "store"} & found


def test_what_such_a_function_jumps_to_counts(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """It returns to the same caller: by a long jump, and by a short one that has no relocation."""
    assert {"jumps", "jumped_to", "near", "local"} <= called(require, tmp_path, OPERATIONS + SAMPLE)


def test_without_paravirtual_operations_there_is_none(
    require: Callable[[str], Path], tmp_path: Path
) -> None:
    """C calls through pointers by the ordinary convention, which keeps what it says."""
    assert called(require, tmp_path, SAMPLE) == set()


def test_an_image_without_code() -> None:
    """Nothing is called in an image that has no functions."""
    assert indirectly_called(Image(symbols={"pv_ops": 1})) == frozenset()
