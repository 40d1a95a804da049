"""Designs in which one task reaches objects of another, or an address is used again."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EPERM, Design, Own
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Ref


class Table(HeapObject):
    """What tasks look into."""

    ready: bool = False


class Group(HeapObject):
    """What the threads of a process share."""

    table: Ref[Table] = NULL


class Denying(Design):
    """No task ever gets a port; what can go wrong is the memory."""

    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    def iopl(self, cpu: Cpu, task: machine_state.Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID


class ShortLivedPointer(Denying):
    """A thread looks into the group's table without a reference; the leader frees it."""

    id = "short-lived-pointer"

    class Task(machine_state.Task):
        """A thread of a group, or a task without one."""

        group: Ref[Group] = NULL
        leads: bool = False

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Found a group, or as its leader take the table away and free it."""
        with cpu.preemption_disabled():
            if task.group is NULL:
                group = self.allocate(Group)
                table = self.allocate(Table)
                table.ready = True
                group.table = table
                task.group = group
                task.leads = True
            elif task.leads:
                old = task.group.table
                if old is not NULL:
                    task.group.table = NULL
                    self.free(old)
        return -EPERM

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Let the child be a thread of the same group."""
        child.leads = False
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Never end while there is a group: nothing becomes garbage."""
        while task.group is not NULL:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def execve(self, cpu: Cpu, task: Task) -> None:
        """Look into the table."""
        with cpu.preemption_disabled():
            if task.group is not NULL:
                table = task.group.table
                if table is not NULL:
                    assert table.ready, "the table is not ready"


class EarlyPublication(Denying):
    """A child gets its parent's group, whose table the parent fills in only then."""

    id = "early-publication"

    class Task(machine_state.Task):
        """A task that knows its parent."""

        parent: Ref[EarlyPublication.Task] = NULL
        table: Ref[Table] = NULL
        pinned: bool = False

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Make the table known before it is ready."""
        with cpu.preemption_disabled():
            if task.table is NULL:
                table = self.allocate(Table)
                task.table = table
                table.ready = True
        return -EPERM

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Tell the child who its parent is."""
        child.table = NULL
        child.parent = task
        child.pinned = True
        task.pinned = True
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Never end with a child or a parent: no parent goes away."""
        while task.pinned:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def execve(self, cpu: Cpu, task: Task) -> None:
        """Look into the parent's table."""
        with cpu.preemption_disabled():
            if task.parent is not NULL and task.parent.table is not NULL:
                table = task.parent.table
                assert table.ready, "the table is not ready"


class ReusedAddress(Denying):
    """A task holds a pointer over an allocation, while another frees what it points to."""

    id = "reused-address"

    class Globals(records.Globals):
        """What all tasks share."""

        latest: Ref[Table] = NULL

    def ioperm(self, cpu: Cpu, task: machine_state.Task, ports: PortRange, turn_on: bool) -> int:
        """Replace the latest table, and believe that a new one has a new address."""
        with cpu.preemption_disabled():
            seen = self.globals.latest
            if seen is NULL:
                first = self.allocate(Table)
                self.globals.latest = first
            else:
                fresh = self.allocate(Table)
                assert fresh is not seen, "a new table at the old address"
                if fresh is not NULL:
                    self.free(fresh)
        return -EPERM

    def execve(self, cpu: Cpu, task: machine_state.Task) -> None:
        """Take the latest table away and free it."""
        with cpu.preemption_disabled():
            if task.privileged:
                taken = self.globals.latest
                self.globals.latest = NULL
                if taken is not NULL:
                    self.free(taken)


class GuardedUse(Denying):
    """A task looks into its table only if it has one."""

    id = "guarded-use"

    class Task(machine_state.Task):
        """A task with a table of its own."""

        table: Ref[Table] = NULL

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Make a table, or free it."""
        with cpu.preemption_disabled():
            old = task.table
            if old is NULL:
                task.table = self.allocate(Table)
            else:
                task.table = NULL
                self.free(old)
        return -EPERM

    def execve(self, cpu: Cpu, task: Task) -> None:
        """Look into the table, if there is one."""
        with cpu.preemption_disabled():
            if task.table is NULL or task.table.ready:
                cpu.tss.io_map_base = IoMapBase.INVALID


class MarkedIdleTask(Denying):
    """A system call marks the task that ran before, which may be the idle task."""

    id = "marked-idle-task"

    class Task(machine_state.Task):
        """A task that can be marked."""

        marked: bool = False

    class Cpu(machine_state.Cpu):
        """A CPU that remembers who ran before."""

        before: Ref[MarkedIdleTask.Task] = NULL

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Mark the task that ran before."""
        with cpu.preemption_disabled():
            before = cpu.before
            if before is not NULL:
                before.marked = True
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Remember who ran before; a marked task must not run again."""
        cpu.before = previous
        assert not following.marked, "the task is marked"
        cpu.tss.io_map_base = IoMapBase.INVALID
