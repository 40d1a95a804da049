"""Where a kernel keeps what the debugger looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from iopermit.reproduce.errors import ReproduceError

if TYPE_CHECKING:
    from pathlib import Path


class Types(Protocol):
    """What knows where structures have their members."""

    def offset(self, structure: str, path: str) -> int:
        """Return the offset in bytes of a member.

        Raises:
            KeyError: there is none.
            ValueError: the types contradict themselves.
        """


@dataclass(frozen=True)
class KernelLayout:
    """Offsets in bytes of members of the kernel's structures."""

    flags: int
    """`thread_info.flags` in a task, an unsigned long, of which the lower four bytes are used."""
    pid: int
    name: int
    """`comm` in a task, 16 bytes."""
    io_bitmap: int
    """In a task, a pointer to its map: `thread.io_bitmap`, before Linux 5.5
    `thread.io_bitmap_ptr`."""
    map_in_tss: int
    """The map of the current task, from the start of the TSS on."""
    all_ports: int | None
    """The map that allows every port, from the start of the TSS on, or None if there is none
    (before Linux 5.5)."""
    arguments: tuple[int, int, int]
    """The first three arguments of a system call in its saved registers (RDI, RSI, RDX)."""
    hot_current: int | None
    """The current task in `pcpu_hot` (Linux 6.2 to 6.14), or None if there is no such structure."""
    hot_preempt_count: int | None

    @classmethod
    def of(cls, types: Types, image: Path) -> KernelLayout:
        """Find the members.

        Raises:
            ReproduceError: a structure is not what it is in Linux 5.3 and later.
        """
        task, tss = "task_struct", "tss_struct"
        try:
            start = types.offset(tss, "x86_tss")
            everything = _optional(types, tss, "io_bitmap.mapall")
            return cls(
                flags=types.offset(task, "thread_info.flags"),
                pid=types.offset(task, "pid"),
                name=types.offset(task, "comm"),
                io_bitmap=_first(types, task, "thread.io_bitmap", "thread.io_bitmap_ptr"),
                # Before Linux 5.5 the member is the map itself.
                map_in_tss=_first(types, tss, "io_bitmap.bitmap", "io_bitmap") - start,
                all_ports=None if everything is None else everything - start,
                arguments=(
                    types.offset("pt_regs", "di"),
                    types.offset("pt_regs", "si"),
                    types.offset("pt_regs", "dx"),
                ),
                hot_current=_optional(types, "pcpu_hot", "current_task"),
                hot_preempt_count=_optional(types, "pcpu_hot", "preempt_count"),
            )
        except KeyError as error:
            raise ReproduceError(
                f"{image} has no {error.args[0]}: it is no Linux 5.3 or later with "
                "CONFIG_X86_IOPL_IOPERM"
            ) from error
        except ValueError as error:
            raise ReproduceError(f"{image}: {error}; is the file whole?") from error


def _first(types: Types, structure: str, newer: str, older: str) -> int:
    """Return the offset of a member that has another name in older kernels.

    Raises:
        KeyError: there is neither.
    """
    found = _optional(types, structure, newer)
    if found is None:
        found = _optional(types, structure, older)
    return types.offset(structure, newer) if found is None else found


def _optional(types: Types, structure: str, member: str) -> int | None:
    try:
        return types.offset(structure, member)
    except KeyError:
        return None
