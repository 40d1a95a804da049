"""What every kernel has: the task, the CPU and its TSS, as far as all designs share them."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from iopermit.arch import TssFormat
from iopermit.system.bitmap import Bitmap, Geometry
from iopermit.system.records import NULL, Record, Ref


class IoMapBase(enum.Enum):
    """What the I/O map base of a TSS selects; :class:`TssLayout` has the numbers."""

    INVALID = 0
    """Past the TSS limit: every port is refused."""
    VALID = 1
    """The bitmap behind the TSS."""
    ALL = 2
    """A second, constant map that allows every port (iopl emulation since v5.5)."""
    LAZY = 3
    """Past the limit too; tells the #GP handler to load the map (the 2.6.10 era)."""


@dataclass(frozen=True)
class TssLayout:
    """Where a kernel puts the maps in the TSS segment; all values are bytes from the TSS base."""

    long_bits: int
    """Ports in a machine word: 32 on i386, 64 on x86-64."""
    bases: dict[IoMapBase, int] = field(hash=False)
    """The value of the I/O map base field for each selection that the kernel uses."""
    limit: int
    """The TSS limit: offset of the last valid byte."""
    map_ports: int = 65536
    """Ports that the map covers."""
    size: int = 0
    """Bytes of memory the TSS structure takes (at least limit + 2; 0: just that)."""

    @property
    def format(self) -> TssFormat:
        """The processor's TSS format: i386 kernels use the 32-bit one."""
        return TssFormat.TSS32 if self.long_bits == 32 else TssFormat.TSS64  # noqa: PLR2004 - bits in a long

    @property
    def memory(self) -> int:
        """Bytes of the TSS structure."""
        return max(self.size, self.limit + 2)

    def geometry(self, boundaries: tuple[int, ...]) -> Geometry:
        """Return the geometry of this layout's map with the given scenario boundaries."""
        return Geometry(boundaries, self.long_bits)


class Task(Record):
    """A thread of execution, as far as every kernel has it."""

    privileged: bool = True
    """Whether the task holds CAP_SYS_RAWIO."""
    kernel_thread: bool = False
    """Whether the task never runs user code (also io_uring's workers)."""


class Tss(Record):
    """The task state segment of one CPU: what the processor consults."""

    bitmap: Bitmap
    """The I/O permission bitmap in the TSS."""
    io_map_base: IoMapBase = IoMapBase.INVALID
    """The 16-bit field at offset 102."""


class Cpu(Record):
    """A processor."""

    current: Ref[Task] = NULL
    """The task that runs on this CPU."""
    tr_limit_low: bool = False
    """Whether the limit cached in TR is only 0x67, as a VM exit leaves it (SDM vol. 3 27.5.2)."""

    tss: Annotated[Tss, "this CPU's own TSS"] = NULL
    """This CPU's TSS."""

    def load_task_register(self) -> None:
        """Do what LTR does: cache the full limit of the TSS descriptor (SDM vol. 2, LTR)."""
        self.tr_limit_low = False

    @contextlib.contextmanager
    def preemption_disabled(self) -> Iterator[None]:
        """Keep the current task on this CPU for the duration of the block."""
        yield
