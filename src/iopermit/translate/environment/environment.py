"""The environment of a design: system calls, scheduler and specification as rules and steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.system.machine_state import IoMapBase
from iopermit.system.scenario import Event, Scenario
from iopermit.translate.analyses.blame import add_blame
from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.frontend.declare import Declarations, declare
from iopermit.translate.frontend.expressions import Scope
from iopermit.translate.frontend.source import find_method, is_overridden
from iopermit.translate.frontend.statements import Label, Lowering
from iopermit.translate.frontend.types import Type, Value, pointer
from iopermit.translate.model.builder import (
    binary,
    bit_of,
    candidate,
    const,
    differ,
    either,
    equal,
    every,
    negate,
    slot_of,
)
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.model import Model, Rule, Step
from iopermit.translate.model.nodes import (
    CRASH,
    DEAD,
    EMBRYO,
    FIRST_STEP,
    FREE,
    GARBAGE,
    KERNEL_THREAD,
    LEAK,
    LOSS,
    USER,
    Clear,
    Const,
    Context,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Select,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.model.walk import map_gotos, subexpressions

if TYPE_CHECKING:
    from iopermit.system.design import Design

CPU, TASK = Context("cpu"), Context("task")
ALWAYS = Const(1)
_MAX_PASSES = 8


def build(design: type[Design], scenario: Scenario, *, blame: bool = False) -> Model:
    """Return ``design`` in its environment. Raises DesignError for what the language lacks.

    With ``blame`` each CPU remembers the design statement that last wrote what it consults, so
    that violations can be told apart by the statement that let them happen.
    """
    types: dict[tuple[str, str], Type] = {}
    widths = 10, 10
    for _ in range(_MAX_PASSES):
        known = dict(types)
        environment = Environment(design, scenario, types, widths)
        needed = environment.lower()
        if known == types and needed == widths:
            break
        widths = needed
    model = environment.finish()
    values = initial_values(design, scenario, model)
    model.brought_up = {f: values["tss", f.name][0] for f in model.fields_of("tss")}
    if blame:
        add_blame(model, model.consulted)
    return model


class Environment:
    """Builds the model of one design in one scenario."""

    def __init__(
        self,
        design: type[Design],
        scenario: Scenario,
        types: dict[tuple[str, str], Type],
        pc_widths: tuple[int, int],
    ) -> None:
        """Declare the state; ``pc_widths`` are the bits of the pc of a task and of a CPU."""
        self.design, self.scenario = design, scenario
        declared = declare(design, scenario)
        longs, tasks = scenario.longs, scenario.tasks
        self.pc, self.cpu_pc = (
            Field(record, "pc", width, high=(1 << width) - 1)
            for record, width in zip(("task", "cpu"), pc_widths, strict=True)
        )
        everyone = tasks + scenario.cpus
        self.following = Field(
            "cpu", "following", everyone.bit_length(), "ref", "task", high=everyone
        )
        self.granted = Field("task", "granted", longs, "bitmap", high=(1 << longs) - 1)
        self.granted_iopl = Field("task", "granted_iopl", 1, "bool", high=1)
        self.bad = Field("globals", "bad", 2, high=3)
        self.home = Field(
            "task", "home", max(1, (scenario.cpus - 1).bit_length()), high=scenario.cpus - 1
        )
        own = [self.pc, self.cpu_pc, self.following, self.granted, self.granted_iopl, self.bad]
        if not scenario.has(Event.MIGRATE):
            own.append(self.home)
        self.declared = Declarations(
            declared.counts,
            [*declared.fields, *own],
            declared.heap,
            declared.counter_values,
            declared.defaults,
        )
        self.lowering = Lowering(design, self.declared, scenario)
        self.lowering.types = types
        self.fields = self.lowering.expressions.fields
        self.current = self.fields["cpu", "current"]
        self.kernel_thread = self.fields["task", "kernel_thread"]
        self.privileged = self.fields["task", "privileged"]
        self.user_rules: list[Rule] = []
        self.thread_rules: list[Rule] = []
        self.back: Label = USER
        self.switch_entry: Label = USER

    def lower(self) -> tuple[int, int]:
        """Translate everything; return how many bits the pc of a task and of a CPU need."""
        self.back = self._return_path()
        self.leave = self._step([], "return from the system call", self._leave())
        self._ioperm()
        self._iopl()
        self._forks()
        self._exit()
        self._exec_and_privilege()
        self._vm_exit()
        self._fault()
        self.switch_entry = self._switch_end()
        steps = self.lowering.lowered.steps.values()
        of_cpus = sum(step.context == "cpu" for step in steps)
        lasts = (FIRST_STEP - 1 + max(1, amount) for amount in (len(steps), of_cpus))
        of_task, of_cpu = (last.bit_length() for last in lasts)
        return of_task, of_cpu

    # Pieces.

    def has_hook(self, name: str) -> bool:
        """Return whether the design has the hook."""
        return is_overridden(self.design, name) and find_method(self.design, name) is not None

    def _step(self, body: list[Stmt], label: str, then: list[Stmt], *, off: bool = False) -> Label:
        """Add a step of the environment in the context of a task."""
        at = self.lowering.label()
        self.lowering.lowered.steps[at] = Step(at, "task", None, (*body, *then), label, off)
        return at

    def _leave(self) -> list[Stmt]:
        """Go back to where the task came from."""
        return [If(Load(self.kernel_thread, TASK), (Goto(KERNEL_THREAD),), (Goto(self.back),))]

    def _local(self, name: str, kind: Type) -> Field:
        """Return a local variable of a task's system call."""
        self.lowering.record = "task"
        self.lowering.types[("task", name)] = joined = (
            kind.join(self.lowering.types.get(("task", name), kind)) or kind
        )
        variable = joined.field("task", name)
        self.lowering.lowered.locals[("task", name)] = variable
        return variable

    def _hook(
        self, name: str, extra: dict[str, Value], *, off: bool = False, result: Field | None = None
    ) -> tuple[Label, Label]:
        parameters = {"cpu": pointer("cpu", CPU), "task": pointer("task", TASK), **extra}
        return self.lowering.hook(name, parameters, record="task", off=off, result=result)

    def _result(self, name: str) -> Field:
        return self._local(f"{name}.result", Type("result", 0, 1))

    def _argument(self, variable: Field) -> Value:
        kind = "ports" if variable.name.endswith(".ports") else variable.kind
        return Value(Load(variable, TASK), Type(kind, variable.low, variable.high, variable.target))

    def _rule(
        self,
        event: str,
        body: list[Stmt],
        start: Label,
        arguments: dict[str, int],
        guard: Expr = ALWAYS,
    ) -> None:
        rule = Rule(event, guard, (*body, Goto(start)), tuple(arguments.items()), start)
        self.user_rules.append(rule)

    def _thread_rule(
        self, event: str, body: list[Stmt], start: Label, arguments: dict[str, int], guard: Expr
    ) -> None:
        self.thread_rules.append(
            Rule(event, guard, (*body, Goto(start)), tuple(arguments.items()), start)
        )

    # System calls.

    def _return_path(self) -> Label:
        if not self.has_hook("return_to_user"):
            return USER
        entry, after = self._hook("return_to_user", {}, off=True)
        self.lowering.alias(after, USER)
        return self._step([], "return to user mode: interrupts off", [Goto(entry)])

    def _ioperm(self) -> None:
        if not self.scenario.has(Event.IOPERM):
            return
        longs = self.scenario.longs
        ports = self._local("ioperm.ports", Type("bitmap", 0, (1 << longs) - 1))
        turn_on = self._local("ioperm.turn_on", Type("bool"))
        result = self._result("ioperm")
        entry, after = self._hook(
            "ioperm",
            {"ports": self._argument(ports), "turn_on": self._argument(turn_on)},
            result=result,
        )
        result = self._result("ioperm")
        granted, mask = Load(self.granted, TASK), Load(ports, TASK)
        on, off = binary("or", granted, mask), binary("sub", binary("or", granted, mask), mask)
        grant = Store(self.granted, TASK, Select(Load(turn_on, TASK), on, off))
        end = self._step(
            [If(equal(Load(result, TASK), 0), (grant,))], "ioperm() returns", self._leave()
        )
        self.lowering.alias(after, end)
        calls = [(a, b, flag) for flag in (1, 0) for a, b in self.scenario.ranges] + [(0, 0, 1)]
        for first, last, flag in calls:
            bits = (1 << last) - (1 << first)
            body: list[Stmt] = [Store(ports, TASK, const(bits)), Store(turn_on, TASK, const(flag))]
            self._rule("ioperm", body, entry, {"first": first, "end": last, "turn_on": flag})

    def _iopl(self) -> None:
        if not self.scenario.has(Event.IOPL):
            return
        level = self._local("iopl.level", Type("int", 0, 3))
        entry, after = self._hook(
            "iopl", {"level": self._argument(level)}, result=self._result("iopl")
        )
        result = self._result("iopl")
        grant = Store(self.granted_iopl, TASK, equal(Load(level, TASK), 3))
        end = self._step(
            [If(equal(Load(result, TASK), 0), (grant,))], "iopl() returns", self._leave()
        )
        self.lowering.alias(after, end)
        for value in (3, 0):
            self._rule("iopl", [Store(level, TASK, const(value))], entry, {"level": value})

    def _forks(self) -> None:
        wanted = [
            e for e in (Event.FORK, Event.FORK_FAILS, Event.IO_THREAD) if self.scenario.has(e)
        ]
        if not wanted:
            return
        everyone = self.scenario.tasks + self.scenario.cpus
        child = self._local("fork.child", Type("ref", 0, everyone, "task"))
        fails = self._local("fork.fails", Type("bool"))
        reference = Value(
            Load(child, TASK),
            Type("ref", 0, everyone, "task"),
            slot_of(Load(child, TASK)),
            never_null=True,
        )
        done: list[Stmt] = self._fork_end(child, fails, reference)
        if self.has_hook("fork"):
            entry, after = self._hook("fork", {"child": reference}, result=self._result("fork"))
            gone = (Clear("task", slot_of(Load(child, TASK))), *self._leave())
            done = [If(equal(Load(self._result("fork"), TASK), 0), tuple(done), gone)]
            self.lowering.alias(after, self._step([], "fork returns", done))
        else:
            entry = self._step([], "fork returns", done)
        self._fork_rules(entry, child, fails)

    def _fork_end(self, child: Field, fails: Field, reference: Value) -> list[Stmt]:
        slot = slot_of(Load(child, TASK))
        unwound = self._step([Clear("task", slot)], "fork: unwound", self._leave())
        failed = unwound
        if self.has_hook("fork_failed") and self.scenario.has(Event.FORK_FAILS):
            failed, after = self._hook("fork_failed", {"child": reference})
            self.lowering.alias(after, unwound)
        start = Select(Load(self.kernel_thread, slot), const(KERNEL_THREAD), Const(self.back))
        alive: tuple[Stmt, ...] = (
            Store(self.granted, slot, Load(self.granted, TASK)),
            Store(self.granted_iopl, slot, Load(self.granted_iopl, TASK)),
            Store(self.pc, slot, start),
            *self._leave(),
        )
        return [If(Load(fails, TASK), (Goto(failed),), alive)]

    def _fork_rules(self, entry: Label, child: Field, fails: Field) -> None:
        has = self.scenario.has
        variants = [("fork", 0, 0, has(Event.FORK)), ("fork-fails", 1, 0, has(Event.FORK_FAILS))]
        variants += [("io-thread", 0, 1, has(Event.IO_THREAD))]
        variants += [("io-thread-fails", 1, 1, has(Event.IO_THREAD) and has(Event.FORK_FAILS))]
        copied = [f for f in self.declared.fields if f.record == "task" and f.declared]
        for name, failing, thread, wanted in variants:
            for slot in range(self.scenario.tasks):
                at = Const(slot)
                body: list[Stmt] = [
                    Store(f, at, Load(f, TASK)) for f in copied if f is not self.kernel_thread
                ]
                body += [
                    Store(self.kernel_thread, at, const(thread)),
                    Store(self.pc, at, const(EMBRYO)),
                ]
                body += [Store(child, TASK, const(slot + 1)), Store(fails, TASK, const(failing))]
                if not has(Event.MIGRATE):
                    body.append(Store(self.home, at, Load(self.home, TASK)))
                guard = candidate(Mask("free", "task"), self.scenario.tasks, at)
                if wanted:
                    self._rule(name, body, entry, {"child": slot}, guard)
                if wanted and thread:
                    self._thread_rule(name, body, entry, {"child": slot}, guard)

    def _exit(self) -> None:
        if not self.scenario.has(Event.EXIT):
            return
        revoke: list[Stmt] = [
            Store(self.granted, TASK, const(0)),
            Store(self.granted_iopl, TASK, const(0)),
        ]
        entry = end = self._step(revoke, "the task is dead", [Goto(DEAD)])
        if self.has_hook("exit"):
            entry, after = self._hook("exit", {})
            self.lowering.alias(after, end)
        self._rule("exit", [], entry, {})
        self._thread_rule("exit", [], entry, {}, const(1))

    def _exec_and_privilege(self) -> None:
        if self.scenario.has(Event.EXEC):
            survives = getattr(self.design, "iopl_survives_exec", True) or not self.has_hook(
                "execve"
            )
            revoke = [] if survives else [Store(self.granted_iopl, TASK, const(0))]
            entry = end = self._step(list(revoke), "execve() returns", self._leave())
            if self.has_hook("execve"):
                entry, after = self._hook("execve", {})
                self.lowering.alias(after, end)
            self._rule("exec", [], entry, {})
        if self.scenario.has(Event.DROP_PRIVILEGE):
            drop: list[Stmt] = [Store(self.privileged, TASK, const(0))]
            self._rule("drop-privilege", drop, self.back, {}, Load(self.privileged, TASK))

    def _vm_exit(self) -> None:
        if self.scenario.has(Event.VM_EXIT) and self.has_hook("vm_exit"):
            entry, after = self._hook("vm_exit", {}, off=True)
            self.lowering.alias(after, self.leave)
            low: list[Stmt] = [Store(self.fields["cpu", "tr_limit_low"], CPU, const(1))]
            self._rule("vm-exit", low, entry, {})

    def _fault(self) -> None:
        if not self.has_hook("general_protection"):
            return
        again = self._local("general_protection.again", Type("bool"))
        granted = self._local("fault.granted", Type("bool"))
        entry, after = self._hook("general_protection", {}, result=again)
        lost = If(
            every(Load(granted, TASK), negate(Load(again, TASK))),
            (Store(self.bad, Const(0), const(LOSS)),),
        )
        self.lowering.alias(after, self._step([lost], "the #GP handler returns", self._leave()))
        allowed, promised = self._allowed(CPU, TASK), self._promised(TASK)
        refused = binary("xor", allowed, self._all_ports())
        for flag, ports in ((1, promised), (0, binary("xor", promised, self._all_ports()))):
            body: list[Stmt] = [Store(granted, TASK, const(flag))]
            self._rule(
                "fault", body, entry, {"granted": flag}, differ(binary("and", refused, ports), 0)
            )

    # Specification.

    def _all_ports(self) -> Const:
        beyond = self.design.layout.map_ports < 65536  # noqa: PLR2004 - the ports of the architecture
        return Const((1 << (self.scenario.longs + beyond)) - 1)

    def _pure(self, name: str, arguments: dict[str, Value]) -> Expr:
        method = find_method(self.design, name)
        if method is None or method.expression is None:
            message = f"{self.design.__name__}.{name} must be a single `return expression`"
            raise TypeError(message)
        expressions = self.lowering.expressions
        expressions.scope = Scope(method, arguments)
        value = expressions.value(method.expression)
        expressions.out = []
        return value.expr

    def _allowed(self, cpu: Expr, task: Expr) -> Expr:
        """Return the ports that the processor allows, one bit per long."""
        where = {"cpu": pointer("cpu", cpu)}
        level = self._pure("iopl_in_force", {**where, "task": pointer("task", task)})
        selected = self._pure("map_in_force", where)
        covered = self._pure("limit_covers_map", where)
        longs = self.scenario.longs
        everything = self._all_ports()
        bitmap = self.fields["tss", "bitmap"]
        clear = binary("xor", Load(bitmap, cpu), Const((1 << longs) - 1))
        if everything.value >> longs:
            beyond = self._pure("ports_beyond_map_allowed", where)
            clear = binary("or", clear, binary("shl", beyond, Const(longs)))
        by_map = Select(equal(selected, IoMapBase.VALID.value), clear, const(0))
        by_map = Select(equal(selected, IoMapBase.ALL.value), everything, by_map)
        return Select(equal(level, 3), everything, Select(covered, by_map, const(0)))

    def consulted_fields(self) -> frozenset[Field]:
        """Return the fields of CPU and TSS that decide about ports."""
        parts = subexpressions(self._allowed(CPU, TASK))
        return frozenset(
            e.field for e in parts if isinstance(e, Load) and e.field.record in ("cpu", "tss")
        )

    def _promised(self, task: Expr) -> Expr:
        return Select(Load(self.granted_iopl, task), self._all_ports(), Load(self.granted, task))

    def _judge(self) -> tuple[Stmt, ...]:
        verdict, where, longs = Temp("verdict"), Temp("cpu"), Temp("longs")
        body: list[Stmt] = [
            Let(verdict, Load(self.bad, Const(0))),
            Let(where, const(0)),
            Let(longs, const(0)),
        ]
        for number in range(self.scenario.cpus):
            cpu = Const(number)
            task = slot_of(Load(self.current, cpu))
            user = every(
                equal(Load(self.cpu_pc, cpu), 0),
                binary("lt", task, Const(self.scenario.tasks)),
                equal(Load(self.pc, task), USER),
            )
            allowed, granted = Temp("allowed"), Temp("granted")
            both = binary("and", allowed, granted)
            leak = binary("xor", allowed, both)
            if self.scenario.unprivileged:
                leak = Select(Load(self.privileged, task), const(0), leak)
            checks: list[Stmt] = [
                Let(allowed, self._allowed(cpu, task)),
                Let(granted, self._promised(task)),
            ]
            checks.append(self._found(leak, LEAK, cpu))
            if not self.has_hook("general_protection"):
                checks.append(self._found(binary("xor", granted, both), LOSS, cpu))
            body.append(If(every(equal(verdict, 0), user), tuple(checks)))
        for record in self.declared.heap if self.scenario.garbage else ():
            slots = (1 << self.declared.counts[record]) - 1
            in_use = binary("xor", Mask("free", record), Const(slots))
            lost = binary("xor", in_use, binary("and", in_use, Mask("referenced", record)))
            body.append(
                If(every(equal(verdict, 0), differ(lost, 0)), (Let(verdict, const(GARBAGE)),))
            )
        return tuple(body)

    def _found(self, ports: Expr, kind: int, cpu: Const) -> Stmt:
        found: tuple[Stmt, ...] = (
            Let(Temp("verdict"), const(kind)),
            Let(Temp("cpu"), cpu),
            Let(Temp("longs"), ports),
        )
        return If(every(equal(Temp("verdict"), 0), differ(ports, 0)), found)

    # Scheduler.

    def _switch_end(self) -> Label:
        lowering = self.lowering
        previous, following = slot_of(Load(self.current, CPU)), slot_of(Load(self.following, CPU))
        end = lowering.label()
        body: tuple[Stmt, ...] = (
            If(equal(Load(self.pc, previous), DEAD), (Clear("task", previous),)),
            Store(self.current, CPU, Load(self.following, CPU)),
            Store(self.following, CPU, const(0)),
            Goto(FREE),
        )
        lowering.lowered.steps[end] = Step(
            end, "cpu", None, body, "the next task runs", preemption_off=True
        )
        parameters = {
            "cpu": pointer("cpu", CPU),
            "previous": pointer("task", previous),
            "following": pointer("task", following),
        }
        entry, after = lowering.hook("switch_to", parameters, record="cpu", off=True, result=None)
        lowering.alias(after, end)
        return entry

    def _switch_rules(self, entry: int, preemptible_end: int) -> list[Rule]:
        scenario, current = self.scenario, slot_of(Load(self.current, CPU))
        pc = Load(self.pc, current)
        idle = binary("le", Const(scenario.tasks), current)
        calm = either(idle, equal(pc, USER), equal(pc, KERNEL_THREAD), equal(pc, DEAD))
        if scenario.has(Event.PREEMPT) and self.design.preemptible:
            calm = either(
                calm,
                every(
                    binary("le", Const(FIRST_STEP), pc), binary("lt", pc, Const(preemptible_end))
                ),
            )
        interrupted = If(
            every(equal(pc, USER), negate(idle)), (Store(self.pc, current, const(self.back)),)
        )
        rules = []
        for slot in range(scenario.tasks):
            guard = every(differ(current, slot), self._runnable(slot), calm)
            body = (
                interrupted,
                Store(self.following, CPU, const(slot + 1)),
                Store(self.cpu_pc, CPU, const(entry)),
            )
            rules.append(Rule("switch", guard, body, (("following", slot),), entry))
        own = binary("add", CPU, Const(scenario.tasks))
        body = (
            interrupted,
            Store(self.following, CPU, binary("add", own, Const(1))),
            Store(self.cpu_pc, CPU, const(entry)),
        )
        rules.append(
            Rule("switch", every(negate(idle), calm), body, (("following", scenario.tasks),), entry)
        )
        return rules

    def _runnable(self, slot: int) -> Expr:
        pc = Load(self.pc, Const(slot))
        alive = [differ(pc, state) for state in (FREE, EMBRYO, DEAD)]
        cpus = [Const(c) for c in range(self.scenario.cpus)]
        idle = [differ(Load(self.current, c), slot + 1) for c in cpus] + [
            differ(Load(self.following, c), slot + 1) for c in cpus
        ]
        here = (
            [] if self.scenario.has(Event.MIGRATE) else [equal(Load(self.home, Const(slot)), CPU)]
        )
        return every(*alive, *idle, *here)

    # Numbering.

    def finish(self) -> Model:
        """Return the finished model."""
        lowering = self.lowering
        steps = lowering.lowered.steps
        resolved = {t: lowering.resolve(t) for t in range(1000, lowering.label())}
        for step in steps.values():
            step.body = map_gotos(step.body, resolved)
        # Those of CPUs first, so that a CPU's pc has few bits; then the preemptible ones.
        order = sorted(steps.values(), key=lambda s: (s.context, s.preemption_off, s.pc))
        number = {label: FIRST_STEP + i for i, label in enumerate(s.pc for s in order)}
        change = {t: number.get(end, end) for t, end in resolved.items()}
        preemptible_end = FIRST_STEP + sum(
            s.context == "cpu" or not s.preemption_off for s in order
        )
        self.back = change.get(self.back, self.back)
        model = Model(dict(self.declared.counts), self.scenario.tasks)
        model.fields = [*self.declared.fields, *lowering.lowered.locals.values()]
        model.heap = tuple(self.declared.heap)
        model.steps = {
            number[s.pc]: replace(
                s, pc=number[s.pc], body=_renumber(map_gotos(s.body, change), change)
            )
            for s in order
        }
        model.preemptible_end = preemptible_end
        model.exact_longs = lowering.lowered.real_longs + 1
        model.preemption = self.scenario.has(Event.PREEMPT) and self.design.preemptible
        model.idle = {
            name: value
            for (record, name), value in self.declared.defaults.items()
            if record == "task"
        }
        renumbered = [
            [_renumbered(r, change) for r in rules]
            for rules in (self.user_rules, self.thread_rules)
        ]
        model.user_rules, model.thread_rules = renumbered
        model.switch_rules = self._switch_rules(change[self.switch_entry], preemptible_end)
        model.judge = self._judge()
        selected = self._pure("map_in_force", {"cpu": pointer("cpu", CPU)})
        model.map_is_valid = equal(selected, IoMapBase.VALID.value)
        model.consulted = self.consulted_fields()
        clear_dead_variables(model)
        return model


def _renumbered(rule: Rule, change: dict[int, int]) -> Rule:
    return replace(
        rule, body=map_gotos(rule.body, change), starts=change.get(rule.starts, rule.starts)
    )


def _renumber(body: tuple[Stmt, ...], change: dict[int, int]) -> tuple[Stmt, ...]:
    """Renumber the label of the return path where it is stored as a value (a child's pc)."""
    result: list[Stmt] = []
    for statement in body:
        match statement:
            case Store(field, index, Select(c, yes, Const(label))) if (
                field.name == "pc" and label in change
            ):
                result.append(Store(field, index, Select(c, yes, Const(change[label]))))
            case If(condition, then, otherwise):
                result.append(If(condition, _renumber(then, change), _renumber(otherwise, change)))
            case _:
                result.append(statement)
    return tuple(result)


__all__ = ["CRASH", "Environment", "bit_of", "build"]
