"""The linker: sections, symbols and relocations of small objects."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.linker import HostData, Image, link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAMPLE = """
extern int host(int);
extern int elsewhere(int);
extern long variable;
static long counter = 7;
long *pointer = &counter;
__attribute__((section(".data..percpu"))) long mine = 5;
__attribute__((section(".data..percpu..first"))) long at_gs_base = 6;
int first(int a) { return host(a) + elsewhere(a); }
long second(void) { return ++counter + variable; }
"""


def word(image: Image, address: int) -> int:
    """Return 8 bytes of the writable data."""
    value: int = struct.unpack_from("<Q", image.data, address - image.data_start)[0]
    return value


@pytest.fixture
def image(require: Callable[[str], Path], tmp_path: Path) -> Image:
    """Link the sample with a host function and a host variable."""
    objects = [compiled(tmp_path, SAMPLE, gcc=require("gcc"))]
    return link(objects, {"host"}, {"variable": HostData(8, initial=b"\x09")})


def test_pointers_in_data_are_relocated(image: Image) -> None:
    """`pointer` holds the address at which `counter` was placed."""
    assert word(image, image.symbols["pointer"]) == image.symbols["sample:counter"]
    assert word(image, image.symbols["sample:counter"]) == 7


def test_host_data_is_placed_and_initialised(image: Image) -> None:
    """A variable that only the host defines has memory with its initial value."""
    assert word(image, image.symbols["variable"]) == 9


def test_per_cpu_variables_have_a_template(image: Image) -> None:
    """A per-CPU variable's initial value is in the template of every CPU's area."""
    offset = image.symbols["mine"] - image.per_cpu_link
    assert struct.unpack_from("<Q", image.per_cpu, offset)[0] == 5


def test_what_is_first_of_a_cpu_is_at_its_gs_base(image: Image) -> None:
    """GS_BASE is set to that address, so that it is linked to 0; it takes no memory."""
    assert image.symbols["at_gs_base"] == 0
    assert (6).to_bytes(8, "little") not in image.per_cpu


def test_undefined_symbols_get_unmapped_addresses(image: Image) -> None:
    """A symbol that nobody defines is known by an address that is never mapped."""
    assert list(image.missing.values()) == ["elsewhere"]
    assert all(at.MISSING <= address < at.PER_CPU for address in image.missing)
    assert list(image.host.values()) == ["host"]


def test_functions_are_found_by_address(image: Image) -> None:
    """Any address inside a function leads to it, others to none."""
    start = image.address("second")
    found = image.function_at(start + 3)
    assert found is not None
    assert found.name == "second"
    assert image.function_at(at.IMAGE - 1) is None


def test_the_first_of_two_definitions_wins(require: Callable[[str], Path], tmp_path: Path) -> None:
    """As in an archive, a later definition of the same symbol is not used."""
    gcc = require("gcc")
    one = compiled(tmp_path, "long same(void) { return 1; }", "one", gcc)
    two = compiled(tmp_path, "long same(void) { return 2; }", "two", gcc)
    linked = link([one, two], (), {})
    function = linked.function_at(linked.address("same"))
    assert function is not None
    assert function.object == one


def test_what_is_no_object_is_refused(tmp_path: Path) -> None:
    """A text file, and a missing file, give one message with the file's name."""
    file = tmp_path / "text.o"
    file.write_text("no object")
    with pytest.raises(KernelTreeError, match=r"text\.o"):
        link([file], (), {})
    with pytest.raises(KernelTreeError, match=r"absent\.o"):
        link([tmp_path / "absent.o"], (), {})


def test_an_unknown_symbol_is_named(image: Image) -> None:
    """Asking for a symbol that the tree lacks tells which one."""
    with pytest.raises(KernelTreeError, match="iopermit_absent"):
        image.address("iopermit_absent")
