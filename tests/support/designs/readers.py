"""Designs in which a task looks at what another has, or a fork fails early; no port is granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.design import EPERM, Design, Own
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Ref, Refcount

if TYPE_CHECKING:
    from iopermit.system.bitmap import PortRange


class Table(HeapObject):
    """What tasks have."""

    ready: bool = False
    refcnt: Refcount = 0


class OwnTables(Design):
    """Each task has a table of its own, which others look at while it is stopped."""

    id = "own-tables"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task."""

        table: Ref[Table] = NULL

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Make a table, or free it."""
        if task.table is NULL:
            table = self.allocate(Table)
            table.ready = True
            task.table = table
            return -EPERM
        self.drop(task)
        return -EPERM

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give the child no table."""
        child.table = NULL
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Free the table."""
        self.drop(task)

    def drop(self, task: Task) -> None:
        """Free a task's table, if it has one."""
        table = task.table
        if table is NULL:
            return
        task.table = NULL
        self.free(table)

    def read_map(self, cpu: Cpu, task: Task, target: Task) -> None:
        """Look at the table of another task, which cannot free it meanwhile."""
        table = target.table
        if table is NULL:
            return
        assert table.ready


class OnTheWayBack(OwnTables):
    """Tables that are looked at on every return to user mode, too."""

    id = "on-the-way-back"

    def return_to_user(self, cpu: Cpu, task: Own) -> None:
        """Look at the own table."""
        table = task.table
        if table is not NULL:
            assert table.ready


class FreedWithTheCopy(OwnTables):
    """What frees a copied structure takes its pointers for the child's own."""

    id = "freed-with-the-copy"

    def fork_failed_early(self, cpu: Cpu, task: Own, child: Own) -> None:
        """Free the table, which is still that of the parent."""
        self.drop(child)


class CountedTables(OwnTables):
    """Parent and child share a table, and count who does."""

    id = "counted-tables"

    def ioperm(self, cpu: Cpu, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Make a table."""
        if task.table is NULL:
            table = self.allocate(Table)
            table.ready = True
            table.refcnt = 1
            task.table = table
        return -EPERM

    def fork(self, cpu: Cpu, task: Own, child: Own) -> int:
        """Count the child, whose pointer was copied."""
        if task.table is not NULL:
            task.table.refcnt += 1
        return 0

    def drop(self, task: Own) -> None:
        """Let go of a task's table, if it has one."""
        table = task.table
        if table is NULL:
            return
        task.table = NULL
        if self.refcount_dec_and_test(table):
            self.free(table)


class LentTable(OwnTables):
    """Tasks have pointers to one table without being counted, and only a dump follows them."""

    id = "lent-table"

    class Globals(records.Globals):
        """The table that is lent."""

        table: Ref[Table] = NULL

    def ioperm(self, cpu: Cpu, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Borrow the table, which the first one makes."""
        if self.globals.table is NULL:
            with cpu.preemption_disabled():
                table = self.allocate(Table)
                table.ready = True
                if self.globals.table is NULL:
                    self.globals.table = table
                else:
                    self.free(table)
        task.table = self.globals.table
        return -EPERM

    def fork(self, cpu: Cpu, task: Own, child: Own) -> int:
        """Leave the child the pointer."""
        return 0

    def exit(self, cpu: Cpu, task: Own) -> None:
        """Forget the pointer."""
        task.table = NULL

    def execve(self, cpu: Cpu, task: Own) -> None:
        """Free the table, whoever has borrowed it."""
        with cpu.preemption_disabled():
            table = self.globals.table
            if table is not NULL:
                self.globals.table = NULL
                task.table = NULL
                self.free(table)

    def read_map(self, cpu: Cpu, task: Own, target: Own) -> None:
        """Look at the table of another task if it is still the one that is lent."""
        table = target.table
        if table is NULL:
            return
        if self.globals.table is table:
            assert table.ready


class StaleTable(LentTable):
    """A dump follows the pointer whether the table is still lent or not."""

    id = "stale-table"

    def read_map(self, cpu: Cpu, task: Own, target: Own) -> None:
        """Look at what another task has borrowed once."""
        table = target.table
        if table is NULL:
            return
        assert table.ready
