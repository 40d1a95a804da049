"""The design interface: the points where kernels differ, and what a design may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar

from iopermit.system.machine_state import Cpu, IoMapBase, Task, Tss, TssLayout
from iopermit.system.records import Globals, HeapObject

if TYPE_CHECKING:
    from iopermit.system.bitmap import PortRange

H = TypeVar("H", bound=HeapObject)

Own: TypeAlias = Any
"""A record of the design's own class. It is Any so that a design can name its classes in the
signatures of its hooks without breaking the substitution rule of method overriding."""

EPERM = 1
ENOMEM = 12
EINVAL = 22
"""Error numbers of asm-generic/errno-base.h, which hooks return negated."""


class Services(Protocol):
    """What the system around a design provides to it."""

    def allocate(self, cls: type[HeapObject]) -> HeapObject | None:
        """Return a fresh object, or None when the allocation fails."""

    def free(self, heap_object: HeapObject) -> None:
        """Give the object's memory back."""

    def next_sequence(self) -> int:
        """Return a counter value that was never handed out before."""


class Design:
    """How a kernel keeps the TSS in step with the running task.

    A subclass declares its state in the nested classes and overrides the hooks. All state
    that hooks share is in the records they are given; a design object has only constants.
    Hooks are written in the language of ``docs/writing-a-design.md``.
    """

    id: ClassVar[str] = ""
    """Name on the command line; a subclass without an id is not listed."""
    title: ClassVar[str] = ""
    """One-line summary."""
    origin: ClassVar[str] = ""
    """Commit, mail or advisory that it comes from."""
    family: ClassVar[str] = ""
    """Which way of keeping the TSS in step it is."""
    options: ClassVar[dict[str, str]] = {}
    """Switches (names of boolean class attributes) with what each one changes."""
    preemptible: ClassVar[bool] = True
    """Whether kernel code can be preempted at all."""
    cpu_hotplug: ClassVar[bool] = True
    """Whether CPUs can go down and come up again while the kernel runs."""
    iopl_survives_exec: ClassVar[bool] = True
    """Whether the permissions of iopl(2) outlive execve(2); if not, the hook execve ends them."""
    ioperm_needs_privilege: ClassVar[bool] = True
    """Whether only a task that has CAP_SYS_RAWIO may gain ports by ioperm(2)."""
    iopl_needs_privilege: ClassVar[bool] = True
    """Whether only a task that has CAP_SYS_RAWIO may gain ports by iopl(2)."""
    layout: ClassVar[TssLayout]
    """Where the maps are in the TSS."""

    Task: type[Task] = Task
    Tss: type[Tss] = Tss
    Cpu: type[Cpu] = Cpu
    Globals: type[Globals] = Globals

    services: Services
    globals: Any
    """The instance of :class:`Globals`."""

    # Points where kernels differ.

    def bring_up(self, cpu: Own) -> None:
        """Initialise the TSS of a CPU that comes up: at boot, and whenever it was down.

        What only the boot sets, as a static initialiser does, is the default of a field.
        """

    def ioperm(self, cpu: Own, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Serve the system call ioperm; return 0 or a negated error number."""
        raise NotImplementedError

    def iopl(self, cpu: Own, task: Own, level: int) -> int:
        """Serve the system call iopl; return 0 or a negated error number."""
        raise NotImplementedError

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Switch the CPU from one task to another; interrupts are off."""
        raise NotImplementedError

    # `iopermit.system.events.hooks` declares these, and the hooks that only some kernels have.

    # What the processor (or hypervisor) consults: pure functions of one expression.

    def map_in_force(self, cpu: Own) -> IoMapBase:
        """Return what decides about ports for user code on this CPU."""
        return cpu.tss.io_map_base  # type: ignore[no-any-return]  # a design's own record

    def limit_covers_map(self, cpu: Own) -> bool:
        """Return whether the cached TSS limit lets the processor read the map."""
        return not cpu.tr_limit_low

    def iopl_in_force(self, cpu: Own, task: Own) -> int:
        """Return the I/O privilege level that user code of ``task`` has on this CPU."""
        return 0

    def ports_beyond_map_allowed(self, cpu: Own) -> bool:
        """Return whether bytes behind the map, inside the limit, allow further ports."""
        return False

    # What a design may call.

    def allocate(self, cls: type[H]) -> H:
        """Allocate a heap object; NULL (against its type, as in C) when that fails."""
        return self.services.allocate(cls)  # type: ignore[return-value]  # NULL is untyped, as in C

    def free(self, heap_object: HeapObject) -> None:
        """Free a heap object."""
        self.services.free(heap_object)

    def next_sequence(self) -> int:
        """Return a fresh value of the system-wide sequence counter (atomic64_add_return)."""
        return self.services.next_sequence()

    def refcount_dec_and_test(self, heap_object: Own) -> bool:
        """Drop one reference and return whether it was the last, as one atomic operation.

        This is the kernel's refcount_dec_and_test() on a refcount_t (linux/refcount.h), applied
        to the field ``refcnt``. In a design it is the whole test of an ``if``. Dropping a
        reference that nobody holds is a crash, as refcount_t warns.
        """
        if heap_object.refcnt <= 0:
            raise AssertionError("refcount_t: underflow; use-after-free.")
        heap_object.refcnt -= 1
        return bool(heap_object.refcnt == 0)
