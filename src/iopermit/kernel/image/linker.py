"""Links relocatable objects into one image at fixed addresses, as a loader does."""

from __future__ import annotations

import bisect
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import KernelTreeError
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.objects import ObjectFile, Section, Symbol, read_object

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

_PER_CPU_LINK: Final = 0x1000
"""Link address of the per-CPU sections: not 0, so that no per-CPU variable is at NULL."""


_ALIASES: Final = {
    "const_pcpu_hot": "pcpu_hot",
    "const_current_task": "current_task",
    "const_cpu_current_top_of_stack": "cpu_current_top_of_stack",
}
"""Second names that the kernel's linker script gives to variables."""


@dataclass(frozen=True)
class Function:
    """A function of the image."""

    start: int
    size: int
    name: str
    object: Path


@dataclass(frozen=True)
class HostData:
    """A variable that the rest of the kernel would define."""

    size: int
    per_cpu: bool = False
    initial: bytes = b""


@dataclass
class Image:
    """Linked objects.

    Attributes:
        code: bytes from `memory_map.IMAGE` on, never written.
        data: address and bytes of the writable data.
        per_cpu: what every CPU's area initially holds, from link address `per_cpu_link` on.
        symbols: addresses of global symbols; per-CPU symbols have their link address.
        host: names of the functions that the host implements, by address.
        missing: names of the symbols that nobody defines, by address.
        placed: for each object, section index and address of its sections.
    """

    code: bytes = b""
    data_start: int = 0
    data: bytes = b""
    per_cpu: bytes = b""
    per_cpu_link: int = _PER_CPU_LINK
    symbols: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    host: dict[int, str] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    placed: dict[Path, dict[int, int]] = field(default_factory=dict)
    bug_table: list[tuple[int, int]] = field(default_factory=list)
    """Start and end of each object's table of BUG and WARN."""

    def function_at(self, address: int) -> Function | None:
        """Return the function that an address belongs to."""
        index = bisect.bisect_right(self.functions, address, key=lambda f: f.start) - 1
        if index < 0:
            return None
        function = self.functions[index]
        return function if address < function.start + max(1, function.size) else None

    def address(self, name: str) -> int:
        """Return the address of a symbol.

        Raises:
            KernelTreeError: no object defines it.
        """
        if name not in self.symbols:
            raise KernelTreeError(
                f"the tree's objects do not define {name}; iopermit does not know this tree's code"
            )
        return self.symbols[name]


def link(
    paths: Iterable[Path],
    host_functions: Collection[str],
    host_data: dict[str, HostData],
) -> Image:
    """Place and relocate objects.

    A symbol that no object defines is taken from the host; one that the host does not have either
    gets an address that is never mapped, so that its use can be told by name.

    Raises:
        KernelTreeError: a file is no object, or has a relocation of an unknown type.
    """
    return _Linker(host_functions, host_data).link([read_object(path) for path in paths])


class _Linker:
    def __init__(self, functions: Collection[str], data: dict[str, HostData]) -> None:
        self.host_functions, self.host_data = functions, data
        self.image = Image()
        self.host_addresses: dict[str, int] = {}
        self.missing: dict[str, int] = {}
        self.weak: set[str] = set()
        """Symbols whose definition gives way to a later one."""

    def link(self, objects: list[ObjectFile]) -> Image:
        image = self.image
        everything = [(o, s) for o in objects for s in o.sections.values()]
        fixed = [(o, s) for o, s in everything if not s.writable and not s.per_cpu]
        fixed.sort(key=lambda pair: not pair[1].executable)
        writable = [(o, s) for o, s in everything if s.writable and not s.per_cpu]
        per_cpu = [(o, s) for o, s in everything if s.per_cpu and not s.at_gs_base]
        for owner, section in everything:
            if section.at_gs_base:
                # Only its address is used, for GS_BASE: it takes no memory.
                image.placed.setdefault(owner.path, {})[section.index] = 0
        code = self._place(fixed, at.IMAGE)
        image.data_start = at.align(at.IMAGE + len(code)) + at.PAGE
        data = self._place(writable, image.data_start)
        areas = self._place(per_cpu, _PER_CPU_LINK)
        self._define(objects)
        self._define_data(data, areas)
        for alias, original in _ALIASES.items():
            if alias not in image.symbols and original in image.symbols:
                image.symbols[alias] = image.symbols[original]
        starts = [(code, at.IMAGE), (data, image.data_start), (areas, _PER_CPU_LINK)]
        for sections, (memory, start) in zip((fixed, writable, per_cpu), starts, strict=True):
            for owner, section in sections:
                self._relocate(owner, section, memory, start)
        image.code, image.data, image.per_cpu = bytes(code), bytes(data), bytes(areas)
        image.functions.sort(key=lambda f: f.start)
        return image

    def _place(self, sections: list[tuple[ObjectFile, Section]], start: int) -> bytearray:
        memory = bytearray()
        for owner, section in sections:
            address = at.align(start + len(memory), section.alignment)
            memory += bytes(address - start - len(memory)) + section.data
            self.image.placed.setdefault(owner.path, {})[section.index] = address
            if section.name == "__bug_table":
                self.image.bug_table.append((address, address + len(section.data)))
        return memory

    def _define(self, objects: list[ObjectFile]) -> None:
        image = self.image
        for owner in objects:
            for symbol in owner.symbols:
                address = self._defined_address(owner, symbol)
                if address is None or not symbol.name:
                    continue
                if symbol.is_function:
                    image.functions.append(Function(address, symbol.size, symbol.name, owner.path))
                known = symbol.name in image.symbols
                if symbol.is_global and (not known or symbol.name in self.weak):
                    image.symbols[symbol.name] = address
                    image.sizes[symbol.name] = symbol.size
                    (self.weak.add if symbol.is_weak else self.weak.discard)(symbol.name)
                elif not known:
                    # A static variable, for whoever looks for it by name.
                    image.symbols.setdefault(f"{owner.path.stem}:{symbol.name}", address)

    def _defined_address(self, owner: ObjectFile, symbol: Symbol) -> int | None:
        if symbol.section is None:
            return None
        if symbol.section == -1:
            return symbol.value
        placed = self.image.placed.get(owner.path, {}).get(symbol.section)
        return None if placed is None else placed + symbol.value

    def _define_data(self, data: bytearray, areas: bytearray) -> None:
        for name, variable in self.host_data.items():
            if name in self.image.symbols:
                continue
            memory, start = (
                (areas, _PER_CPU_LINK) if variable.per_cpu else (data, self.image.data_start)
            )
            memory += bytes(-len(memory) % 64)
            self.image.symbols[name] = start + len(memory)
            self.image.sizes[name] = variable.size
            memory += variable.initial.ljust(variable.size, b"\0")

    def _relocate(self, owner: ObjectFile, section: Section, memory: bytearray, start: int) -> None:
        base = self.image.placed[owner.path][section.index]
        for relocation in section.relocations:
            place = base + relocation.offset
            target = self._target(owner, owner.symbols[relocation.symbol]) + relocation.addend
            match relocation.type:
                case 0:
                    continue
                case 1:
                    text = struct.pack("<Q", target & 0xFFFF_FFFF_FFFF_FFFF)
                case 2 | 4:
                    text = struct.pack("<I", (target - place) & 0xFFFF_FFFF)
                case 10 | 11:
                    text = struct.pack("<I", target & 0xFFFF_FFFF)
                case 24:
                    text = struct.pack("<Q", (target - place) & 0xFFFF_FFFF_FFFF_FFFF)
                case other:
                    raise KernelTreeError(
                        f"{owner.path}: section {section.name} has a relocation of type {other}, "
                        "which iopermit cannot apply"
                    )
            memory[place - start : place - start + len(text)] = text

    def _target(self, owner: ObjectFile, symbol: Symbol) -> int:
        if symbol.section is not None:
            address = self._defined_address(owner, symbol)
            # Sections that were left out are tables that only other left-out ones refer to.
            return 0 if address is None else address
        if symbol.name in self.image.symbols:
            return self.image.symbols[symbol.name]
        if not symbol.name:
            return 0
        if symbol.name in self.host_functions:
            return self._number(symbol.name, self.host_addresses, at.HOST, at.HOST_STRIDE)
        if symbol.is_weak:
            return 0
        return self._number(symbol.name, self.missing, at.MISSING, at.MISSING_STRIDE)

    def _number(self, name: str, known: dict[str, int], start: int, stride: int) -> int:
        if name not in known:
            known[name] = start + stride * (1 + len(known))
            names = self.image.host if known is self.host_addresses else self.image.missing
            names[known[name]] = name
        return known[name]
