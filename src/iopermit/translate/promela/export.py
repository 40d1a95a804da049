"""Prints a model as Promela, so that Spin, an independent checker, can search it too.

The export is one process with one loop. Every option of the loop is one transition of the
model, executed as one ``d_step``; all state is in global variables. The states that Spin
stores are therefore exactly the states of the model, and its transitions those of the model.
A state that violates the specification fails an assertion and has no successors.
"""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

from iopermit.translate.model.evaluation import Evaluation
from iopermit.translate.model.nodes import FIRST_STEP, VERDICT, VERDICTS, Field, Mask, RecordName
from iopermit.translate.model.walk import subexpressions
from iopermit.translate.promela.names import field_names
from iopermit.translate.promela.process import PromelaProcess
from iopermit.translate.promela.statements import TASK_STATES, constant, temporaries

if TYPE_CHECKING:
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.model.model import Model

_BYTE = 8
_SHORT = 15
"""Bits of Promela's unsigned ``byte`` and of the positive values of its ``short``."""

_HEADER = """\
/*
 * {title}
 *
 * Written by iopermit. Every state of the loop in system() is one state of the model, every
 * option of the loop one transition. A state that violates the specification fails the
 * assertion in judge() and is not continued.
 *
 * First violation:     spin -a -o2 FILE
 *                      gcc -O2 -DSAFETY -DNOREDUCE -DNOBOUNDCHECK -DNOCOMP -o pan pan.c
 *                      ./pan -m1000000
 *                      spin -t FILE      shows the schedule and the state it ends in
 * Shortest violation:  the same with gcc -DBFS
 * All states:          ./pan -m1000000 -c0 -w26 counts them as "states, stored"
 *
 * Without -o2 Spin leaves variables that are only written out of the states, and counts fewer.
 * If pan says "max search depth too small", the search is incomplete: increase -m.
 */
"""

_MACROS = """\
/* The task that runs on a CPU. From {tasks} on they are idle tasks, whose pc is KERNEL_THREAD. */
#define running(c) (cpu_current[c] - 1)
#define calm(c) (verdict == NONE && cpu_pc[c] == 0)
#define user_mode(c) (calm(c) && task_pc[running(c)] == USER)
#define between_events(c) (calm(c) && task_pc[running(c)] == KERNEL_THREAD && running(c) < {tasks})
#define in_kernel(c) (calm(c) && task_pc[running(c)] >= {first})
#define switching(c) (verdict == NONE && cpu_pc[c] != 0)
"""


def export(model: Model, initial: InitialValues, *, title: str = "") -> str:
    """Return ``model`` as the text of a Promela file, starting in the state ``initial``.

    ``title`` is the first line of the comment at the top. If the initial state violates the
    specification it has no successor but itself, by a transition that fails the assertion.
    """
    names = field_names(model.fields)
    declarations = _Declarations(model, initial, names)
    verdict = _verdict(model, initial)
    process = PromelaProcess(model, names, judges_initial=bool(verdict))
    about = title.replace("*/", "* /") or "A design of the I/O permission bitmap"
    blocks = [
        _HEADER.format(title=about),
        _constants(),
        declarations.variables(verdict),
        _MACROS.format(tasks=model.tasks, first=FIRST_STEP),
        declarations.masks(),
        *process.blocks(),
    ]
    return "\n".join(blocks)


def _verdict(model: Model, initial: InitialValues) -> int:
    """Return what the specification says of the initial state; 0: nothing is wrong."""
    evaluation = Evaluation(model.fields, copy.deepcopy(initial), {})
    evaluation.execute(model.specification)
    return evaluation.value(VERDICT)


def _constants() -> str:
    """Number the states of tasks and the verdicts."""
    named = [*enumerate(TASK_STATES), *enumerate(map(constant, VERDICTS))]
    return "".join(f"#define {name} {number}\n" for number, name in named)


class _Declarations:
    """Prints the variables and the bit masks that are derived from them."""

    def __init__(self, model: Model, initial: InitialValues, names: dict[Field, str]) -> None:
        self.model, self.initial, self.names = model, initial, names

    def variables(self, verdict: int) -> str:
        """Declare a variable for each field, the verdict, and the temporaries."""
        lines = [self._variable(field) for field in self.model.fields]
        lines += [f"byte verdict = {verdict};", "/* Values within one step; 0 between steps. */"]
        bodies = [self.model.specification, *(step.body for step in self.model.steps.values())]
        most = max(len(temporaries(body)) for body in bodies)
        kind = "short" if self._widest_mask() <= _SHORT else "int"
        lines += [f"{kind} temporary_{number};" for number in range(1, most + 1)]
        return "\n".join(lines) + "\n"

    def _widest_mask(self) -> int:
        counters = [field.high + 1 for field in self.model.fields if field.kind == "counter"]
        return max(*self.model.counts.values(), *counters)

    def _slots(self, field: Field) -> int:
        """Return how many values a field has: idle tasks never execute kernel functions."""
        own = field.local and field.record == "task"
        return self.model.tasks if own else self.model.counts[field.record]

    def _variable(self, field: Field) -> str:
        values = self.initial[field.record, field.name][: self._slots(field)]
        kind = "bool" if field.width == 1 else "byte" if field.width <= _BYTE else "short"
        if field.record == "globals":
            return f"{kind} {self.names[field]} = {values[0]};"
        listed = ", ".join(map(str, values))
        return f"{kind} {self.names[field]}[{len(values)}] = {{{listed}}};"

    def masks(self) -> str:
        """Define the masks of free slots, of slots referred to, and of counter values in use."""
        lines = ["/* Bit masks over slots, and over counter values. */"]
        guards = [subexpressions(step.guard) for step in self.model.steps.values()]
        used = set(itertools.chain.from_iterable(guards))
        for record in ("task", *self.model.heap):
            held = [f for f in self.model.fields if f.kind == "ref" and f.target == record]
            lines.append(f"#define free_{record} ({self._free(record)})")
            lines.append(f"#define referenced_{record} (({self._held(held)}) >> 1)")
            if Mask("available", record) in used:
                every = (1 << self.model.counts[record]) - 1
                others = f"~referenced_{record} & {every}"
                lines.append(f"#define available_{record} (free_{record} | ({others}))")
        counters = [field for field in self.model.fields if field.kind == "counter"]
        lines.append(f"#define counters ({self._held(counters)})")
        return "\n".join(lines) + "\n"

    def _free(self, record: RecordName) -> str:
        field = self.model.field(record, "pc" if record == "task" else "in_use")
        slots = self.model.tasks if record == "task" else self.model.counts[record]
        return " | ".join(f"((!{self.names[field]}[{slot}]) << {slot})" for slot in range(slots))

    def _held(self, fields: list[Field]) -> str:
        places = [
            self.names[field] if field.record == "globals" else f"{self.names[field]}[{slot}]"
            for field in fields
            for slot in range(self._slots(field))
        ]
        return " | ".join(f"(1 << {place})" for place in places) or "0"
