"""Reads relocatable x86-64 objects: their sections, symbols and relocations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

_ALLOC: Final = 2
_WRITE: Final = 1
_EXECUTE: Final = 4
_LEFT_OUT: Final = (
    ".discard",
    ".orc",
    ".altinstructions",
    ".smp_locks",
    ".retpoline",
    ".return_sites",
    ".call_sites",
    ".ibt",
    ".static_call",
    ".export_symbol",
    ".modinfo",
    ".init.setup",
    ".note",
    "__ksymtab",
    "__kcrctab",
    "__ex_table",
    "__jump_table",
    "__patchable",
    "__mcount",
    "___ksymtab",
    "__param",
)
"""Tables for the kernel's boot code, the linker and tools: nothing that is emulated reads them."""


@dataclass(frozen=True)
class Relocation:
    """A place in a section that depends on a symbol's address."""

    offset: int
    type: int
    symbol: int
    """Index in the object's symbol table."""
    addend: int


@dataclass
class Section:
    """A section that takes memory at run time."""

    name: str
    index: int
    data: bytes
    alignment: int
    writable: bool
    executable: bool
    relocations: list[Relocation] = field(default_factory=list)

    @property
    def per_cpu(self) -> bool:
        """Whether every CPU has its own copy of the section."""
        return self.name.startswith(".data..percpu")

    @property
    def at_gs_base(self) -> bool:
        """Whether it lies at address 0 of a CPU's area, as the kernel's linker script has it."""
        return self.name == ".data..percpu..first"


@dataclass(frozen=True)
class Symbol:
    """An entry of the symbol table."""

    name: str
    section: int | None
    """Index of the defining section, None if undefined, -1 for an absolute value."""
    value: int
    size: int
    is_function: bool
    is_global: bool
    is_weak: bool


@dataclass(frozen=True)
class ObjectFile:
    """What one relocatable object holds."""

    path: Path
    sections: dict[int, Section]
    symbols: list[Symbol]


def read_object(path: Path) -> ObjectFile:
    """Return the contents of a relocatable x86-64 object.

    Raises:
        KernelTreeError: the file cannot be read, or is no such object.
    """
    try:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            if elf["e_machine"] != "EM_X86_64" or elf["e_type"] != "ET_REL":
                raise KernelTreeError(f"{path} is no relocatable object for x86-64")
            sections = _sections(elf)
            _add_relocations(elf, sections)
            return ObjectFile(path, sections, _symbols(elf))
    except OSError as error:
        raise KernelTreeError(f"cannot read {path}: {error.strerror}") from error
    except ELFError as error:
        raise KernelTreeError(f"{path} is no ELF object: {error}") from error


def _sections(elf: ELFFile) -> dict[int, Section]:
    result = {}
    for index, section in enumerate(elf.iter_sections()):
        flags, name = section["sh_flags"], section.name
        if not flags & _ALLOC or name.startswith(_LEFT_OUT) or section["sh_type"] == "SHT_NOTE":
            continue
        empty = section["sh_type"] == "SHT_NOBITS"
        data = bytes(section["sh_size"]) if empty else section.data()
        result[index] = Section(
            name,
            index,
            data,
            max(1, section["sh_addralign"]),
            bool(flags & _WRITE),
            bool(flags & _EXECUTE),
        )
    return result


def _add_relocations(elf: ELFFile, sections: dict[int, Section]) -> None:
    for table in elf.iter_sections():
        if not isinstance(table, RelocationSection) or table["sh_info"] not in sections:
            continue
        sections[table["sh_info"]].relocations += [
            Relocation(r["r_offset"], r["r_info_type"], r["r_info_sym"], r["r_addend"])
            for r in table.iter_relocations()
        ]


def _symbols(elf: ELFFile) -> list[Symbol]:
    table = next((s for s in elf.iter_sections() if isinstance(s, SymbolTableSection)), None)
    return [] if table is None else [_symbol(s) for s in table.iter_symbols()]


def _symbol(entry: Any) -> Symbol:  # noqa: ANN401 - pyelftools has no annotations
    index = entry["st_shndx"]
    section = {"SHN_UNDEF": None, "SHN_ABS": -1}.get(index, index)
    info = entry["st_info"]
    return Symbol(
        entry.name,
        section,
        entry["st_value"],
        entry["st_size"],
        info["type"] == "STT_FUNC",
        info["bind"] in {"STB_GLOBAL", "STB_WEAK"},
        info["bind"] == "STB_WEAK",
    )
