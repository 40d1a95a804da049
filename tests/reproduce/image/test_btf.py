"""Members of structures are found by the types of a kernel, whatever stands in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.machine.real_linux import kernel as debian_kernel
from tests.support.reproduce.images import TypesMade, elf_file

from iopermit.reproduce.errors import ReproduceError
from iopermit.reproduce.image.btf import KernelTypes, kernel_types
from iopermit.reproduce.image.bzimage import unpack
from iopermit.reproduce.image.layout import KernelLayout

IMAGE = Path("vmlinuz")


def nested() -> TypesMade:
    """Return types with a structure in a structure, an alias, a nameless union and bit fields."""
    made = TypesMade()
    word = made.integer()
    inner = made.structure("inner", ("first", word, 0), ("second", word, 32))
    alias = made.alias(8, made.alias(10, inner), "inner_t")
    union = made.structure("", ("one", word, 0), ("other", word, 0))
    made.structure("outer", ("a", word, 0), ("in", alias, 64), ("", union, 160))
    fields = (("low", word, 3 << 24), ("word", word, 3 << 24 | 96))
    made.structure("packed", *fields, bit_fields=True)
    return made


@pytest.mark.parametrize(
    ("structure", "path", "offset"),
    [
        ("outer", "a", 0),
        ("outer", "in", 8),
        ("outer", "in.second", 12),
        ("outer", "other", 20),
        ("packed", "word", 12),
    ],
)
def test_a_member_is_found(structure: str, path: str, offset: int) -> None:
    """Offsets count from the outermost structure, in bytes."""
    assert KernelTypes(nested().section()).offset(structure, path) == offset


@pytest.mark.parametrize(
    ("structure", "path"), [("outer", "b"), ("outer", "in.third"), ("missing", "a")]
)
def test_a_missing_member_is_named(structure: str, path: str) -> None:
    """A structure or a member that is not there is a KeyError that names it."""
    with pytest.raises(KeyError, match=path if structure == "outer" else structure):
        KernelTypes(nested().section()).offset(structure, path)


@pytest.mark.parametrize("cut", [0, 10, 30, -40])
def test_types_that_are_cut_off_are_refused(cut: int) -> None:
    """A section that ends early, or is none, is a ValueError."""
    with pytest.raises(ValueError, match="its types"):
        KernelTypes(nested().section()[:cut] if cut else bytes(24))


@pytest.mark.parametrize(
    ("alias", "member", "message"),
    [
        (99, ("x86_tss", 2, 0), "type 99 of 4"),
        (2, ("x86_tss", 2, 0), "name for itself"),
        (1, ("", 3, 0), "part of itself"),
    ],
)
def test_types_that_contradict_themselves_are_refused(
    alias: int, member: tuple[str, int, int], message: str
) -> None:
    """A type that is not there, or that leads back to itself, ends in a message, at once."""
    made = TypesMade()
    # Types 1, 2 and 3.
    made.integer()
    made.alias(8, alias, "alias")
    made.structure("tss_struct", member)
    types = KernelTypes(made.section())
    with pytest.raises(ValueError, match=message):
        types.offset("tss_struct", "x86_tss")
    with pytest.raises(ReproduceError, match=f"vmlinuz: .*{message}"):
        KernelLayout.of(types, IMAGE)


def test_a_kernel_without_types_is_told_what_it_needs() -> None:
    """An ELF file without BTF gets a message with the option of the kernel's configuration."""
    program = Path("/bin/true").read_bytes()
    with pytest.raises(ReproduceError, match="CONFIG_DEBUG_INFO_BTF"):
        kernel_types(program, IMAGE)


def test_a_damaged_kernel_is_refused() -> None:
    """An ELF file whose table of sections lies nowhere is refused with a message."""
    kernel = bytearray(elf_file(nested().section()))
    # Where the table of sections is.
    kernel[40:48] = b"\xff" * 8
    with pytest.raises(ReproduceError, match="vmlinuz"):
        kernel_types(bytes(kernel), IMAGE)
    kernel = bytearray(elf_file(nested().section()))
    start = int.from_bytes(kernel[40:48], "little")
    for section in range(start, len(kernel) - 63, 64):
        kernel[section + 24 : section + 32] = b"\xff" * 8
    with pytest.raises(ReproduceError, match="damaged kernel"):
        kernel_types(bytes(kernel), IMAGE)


def test_another_kernel_is_told_what_it_lacks() -> None:
    """Types without the structures of Linux 5.3 and later name the one that is missing."""
    with pytest.raises(ReproduceError, match=r"struct tss_struct.*CONFIG_X86_IOPL_IOPERM"):
        KernelLayout.of(KernelTypes(nested().section()), IMAGE)


def test_the_types_of_linux_5_4_are_read() -> None:
    """The map of a task has another name there, and the map in the TSS is a member by itself."""
    made = TypesMade()
    word = made.integer()
    info = made.structure("thread_info", ("flags", word, 0))
    thread = made.structure("thread_struct", ("io_bitmap_ptr", word, 64))
    made.structure(
        "task_struct",
        *(("thread_info", info, 0), ("pid", word, 64), ("comm", word, 96), ("thread", thread, 256)),
    )
    made.structure("tss_struct", ("x86_tss", word, 0), ("io_bitmap", word, 104 * 8))
    made.structure("pt_regs", ("dx", word, 0), ("si", word, 64), ("di", word, 128))
    layout = KernelLayout.of(KernelTypes(made.section()), IMAGE)
    assert (layout.io_bitmap, layout.map_in_tss, layout.all_ports) == (40, 104, None)
    assert layout.arguments == (16, 8, 0)


def test_the_types_of_a_real_kernel_are_read() -> None:
    """Debian's 6.1 keeps a task's flags first, and a call's arguments where ptrace(2) has them."""
    image = debian_kernel()
    types = kernel_types(unpack(image), image)
    layout = KernelLayout.of(types, image)
    # struct user_regs_struct of <sys/user.h>: rdi, rsi, rdx are words 14, 13 and 12.
    assert layout.arguments == (14 * 8, 13 * 8, 12 * 8)
    assert layout.flags == 0
    assert layout.all_ports is not None
    assert layout.all_ports - layout.map_in_tss >= 8192
