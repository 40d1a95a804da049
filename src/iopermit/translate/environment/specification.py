"""The specification: what the processor allows a task against what it was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.system.machine_state import IoMapBase
from iopermit.translate.environment.consulted import consulted
from iopermit.translate.frontend.types import pointer
from iopermit.translate.model.builder import (
    binary,
    const,
    differ,
    equal,
    every,
    slot_of,
)
from iopermit.translate.model.nodes import (
    CONCERNED_CPU,
    CONCERNED_LONGS,
    CPU,
    GARBAGE,
    LEAK,
    LIVELOCK,
    LOSS,
    TASK,
    USER,
    VERDICT,
    Const,
    Expr,
    Field,
    If,
    Let,
    Load,
    Mask,
    RecordName,
    Select,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.model.walk import subexpressions

if TYPE_CHECKING:
    from iopermit.translate.environment.builder import EnvironmentBuilder


class Specification:
    """Says in expressions of the model what is allowed, what is granted, and what violates that."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Judge the state of ``builder``."""
        self.builder = builder

    def allowed(self, cpu: Expr, task: Expr) -> Expr:
        """Return the ports that the processor allows, one bit per long."""
        where = {"cpu": pointer("cpu", cpu)}
        level = consulted(self.builder, "iopl_in_force", {**where, "task": pointer("task", task)})
        selected = consulted(self.builder, "map_in_force", where)
        covered = consulted(self.builder, "limit_covers_map", where)
        longs = self.builder.scenario.longs
        everything = self.builder.all_ports()
        bitmap = self.builder.fields["tss", "bitmap"]
        clear = binary("xor", Load(bitmap, cpu), Const((1 << longs) - 1))
        if everything.value >> longs:
            beyond = consulted(self.builder, "ports_beyond_map_allowed", where)
            clear = binary("or", clear, binary("shl", beyond, Const(longs)))
        by_map = Select(equal(selected, IoMapBase.VALID.value), clear, const(0))
        by_map = Select(equal(selected, IoMapBase.ALL.value), everything, by_map)
        return Select(equal(level, 3), everything, Select(covered, by_map, const(0)))

    def consulted_fields(self) -> frozenset[Field]:
        """Return the fields of CPU and TSS that decide about ports."""
        parts = subexpressions(self.allowed(CPU, TASK))
        return frozenset(
            e.field for e in parts if isinstance(e, Load) and e.field.record in ("cpu", "tss")
        )

    def promised(self, task: Expr) -> Expr:
        """Return the ports that a task was granted, one bit per long."""
        return Select(
            Load(self.builder.granted_iopl, task),
            self.builder.all_ports(),
            Load(self.builder.granted, task),
        )

    def refuses(self, cpu: Expr, task: Expr) -> Expr:
        """Return whether the processor refuses a task some port that it was granted."""
        refused = binary("xor", self.allowed(cpu, task), self.builder.all_ports())
        return differ(binary("and", refused, self.promised(task)), 0)

    def end_of_row(self) -> list[Stmt]:
        """Return what ends a row of refusals, as a task enters user mode and none is left."""
        field = self.builder.refusals
        if field is None:
            return []
        goes_on = Select(self.refuses(CPU, TASK), Load(field, TASK), const(0))
        return [Store(field, TASK, goes_on)]

    def check(self) -> tuple[Stmt, ...]:
        """Return what sets VERDICT, CONCERNED_CPU and CONCERNED_LONGS for any state."""
        cpus = range(self.builder.scenario.cpus)
        heap = self.builder.declared.heap if self.builder.scenario.garbage else ()
        rows = () if self.builder.refusals is None else (self.builder.refusals,)
        return (
            Let(VERDICT, Load(self.builder.bad, Const(0))),
            Let(CONCERNED_CPU, const(0)),
            Let(CONCERNED_LONGS, const(0)),
            *(self._check_cpu(Const(cpu)) for cpu in cpus),
            *(self._check_garbage(record) for record in heap),
            *(self._check_row(field, Const(cpu)) for field in rows for cpu in cpus),
        )

    def _check_cpu(self, cpu: Const) -> Stmt:
        """Compare what a CPU allows with what was granted, if it runs a task in user mode."""
        builder, (task, user) = self.builder, self._user_mode(cpu)
        allowed, granted = Temp("allowed"), Temp("granted")
        both = binary("and", allowed, granted)
        leak = binary("xor", allowed, both)
        if builder.scenario.unprivileged:
            leak = Select(Load(builder.privileged, task), const(0), leak)
        checks: list[Stmt] = [
            Let(allowed, self.allowed(cpu, task)),
            Let(granted, self.promised(task)),
            self._found(leak, LEAK, cpu),
        ]
        if builder.refusals is None:
            checks.append(self._found(binary("xor", granted, both), LOSS, cpu))
        return If(every(equal(VERDICT, 0), user), tuple(checks))

    def _user_mode(self, cpu: Const) -> tuple[Expr, Expr]:
        """Return the task that runs on a CPU, and whether it is one in user mode."""
        builder = self.builder
        task = slot_of(Load(builder.current, cpu))
        return task, every(
            equal(Load(builder.cpu_pc, cpu), 0),
            binary("lt", task, Const(builder.scenario.tasks)),
            equal(Load(builder.pc, task), USER),
        )

    def _check_row(self, refusals: Field, cpu: Const) -> Stmt:
        """Look for a task whose handler of #GP has said "again" so often that it may be for ever.

        Whether it is, is found out later; so everything else that is wrong comes first.
        """
        task, user = self._user_mode(cpu)
        row = equal(Load(refusals, task), self.builder.scenario.most_refusals)
        refused = binary("xor", self.allowed(cpu, task), self.builder.all_ports())
        lost = binary("and", refused, self.promised(task))
        return If(every(equal(VERDICT, 0), user, row), (self._found(lost, LIVELOCK, cpu),))

    def _check_garbage(self, record: RecordName) -> Stmt:
        """Look for an object in use that nothing refers to."""
        slots = (1 << self.builder.declared.counts[record]) - 1
        in_use = binary("xor", Mask("free", record), Const(slots))
        lost = binary("xor", in_use, binary("and", in_use, Mask("referenced", record)))
        return If(every(equal(VERDICT, 0), differ(lost, 0)), (Let(VERDICT, const(GARBAGE)),))

    def _found(self, ports: Expr, kind: int, cpu: Const) -> Stmt:
        found: tuple[Stmt, ...] = (
            Let(VERDICT, const(kind)),
            Let(CONCERNED_CPU, cpu),
            Let(CONCERNED_LONGS, ports),
        )
        return If(every(equal(VERDICT, 0), differ(ports, 0)), found)
