"""What each change is that the table of events declares, in this checker's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.state import EMBRYO, HALTED, THREAD, Batch, Layout, Numbers, Rows
from iopermit.system.events import Event
from iopermit.system.events.operations import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.certify.language.steps import Point

EVERY_LEVEL: Final = 3
"""The I/O privilege level that allows every port to user code."""

USES: Final = {
    Effect.GRANT_PORTS: ("ports", "turn_on"),
    Effect.GRANT_LEVEL: ("level",),
    Effect.START_CHILD: ("child",),
    Effect.FREE_CHILD: ("child",),
    Effect.RELEASE_TARGET: ("target",),
}
"""The arguments that an effect looks at when it follows a hook."""

Operands = dict[str, "Callable[[Batch, Rows], Numbers]"]
"""How to read the arguments of an event; a task's gives its slot."""


def effect(
    layout: Layout, which: Effect, operands: Operands, back: Point
) -> Callable[[Batch, Rows], None]:
    """Return what an effect does to the task that is current, in some rows."""
    make = _EFFECTS.get(which)
    if make is None:
        raise UnacceptableError(f"this checker does not know the effect {which.name}")

    def do(b: Batch, r: Rows) -> None:
        given = {name: read(b, r) for name, read in operands.items()}
        make(layout, b, r, given | {"back": back.final.number})

    return do


def _put(layout: Layout, b: Batch, r: Rows, name: str, value: Numbers) -> None:
    b.store(layout["task", name], b.task[r], r, value)


def _grant_ports(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    old, mask = b.load(layout["task", "granted"], b.task[r], r), given["ports"]
    if layout.design.ioperm_needs_privilege:
        _check_gain(layout, b, r, np.not_equal(given["turn_on"], 0) & (mask & ~old != 0))
    _put(layout, b, r, "granted", np.where(given["turn_on"] != 0, old | mask, old & ~mask))


def _grant_level(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    opens = np.equal(given["level"], EVERY_LEVEL)
    if layout.design.iopl_needs_privilege:
        held = b.load(layout["task", "granted_iopl"], b.task[r], r) != 0
        _check_gain(layout, b, r, opens & ~held)
    _put(layout, b, r, "granted_iopl", opens)


def _check_gain(layout: Layout, b: Batch, r: Rows, gains: Numbers) -> None:
    """Refuse a call that gives a task ports which it did not have, without CAP_SYS_RAWIO."""
    unprivileged = b.load(layout["task", "privileged"], b.task[r], r) == 0
    b.refuse(gains & unprivileged, r, "leak: a task gains ports without CAP_SYS_RAWIO")


def _revoke_level(layout: Layout, b: Batch, r: Rows, _given: Mapping[str, Numbers]) -> None:
    _put(layout, b, r, "granted_iopl", 0)


def _revoke_all(layout: Layout, b: Batch, r: Rows, _given: Mapping[str, Numbers]) -> None:
    _put(layout, b, r, "granted", 0)
    _put(layout, b, r, "granted_iopl", 0)


def _drop_privilege(layout: Layout, b: Batch, r: Rows, _given: Mapping[str, Numbers]) -> None:
    _put(layout, b, r, "privileged", 0)


def _lower_limit(layout: Layout, b: Batch, r: Rows, _given: Mapping[str, Numbers]) -> None:
    b.store(layout["cpu", "tr_limit_low"], b.cpu, r, 1)


def _make_child(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    """Copy the task structure; the child is not run before its parent is done."""
    kept = [] if layout.scenario.has(Event.MIGRATE) else [layout["task", "home"]]
    copied = [c for c in layout.columns.values() if c.record == "task" and c.declared]
    for column in (*copied, *kept):
        b.store(column, given["child"], r, b.load(column, b.task[r], r))
    b.store(layout["task", "kernel_thread"], given["child"], r, given["kernel_thread"])
    b.store(layout["task", "at"], given["child"], r, EMBRYO)


def _start_child(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    """Let the child run: it inherits what its parent was granted."""
    child = given["child"]
    for name in ("granted", "granted_iopl"):
        column = layout["task", name]
        b.store(column, child, r, b.load(column, b.task[r], r))
    thread = b.load(layout["task", "kernel_thread"], child, r) != 0
    b.store(layout["task", "at"], child, r, np.where(thread, THREAD, given["back"]))


def _free_child(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    b.clear(layout, "task", given["child"], r)


def _stop_target(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    """Halt another task: the scheduler does not choose it, and nobody else halts it."""
    b.store(layout["task", "at"], given["target"], r, HALTED)


def _release_target(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    """Let it go on to user mode, which is all that it had left to do."""
    b.store(layout["task", "at"], given["target"], r, given["back"])


def _report_refusal(_layout: Layout, b: Batch, r: Rows, _given: Mapping[str, Numbers]) -> None:
    b.refuse(True, r, "loss: a port that the task was granted is finally refused")  # noqa: FBT003 - always


def _count_refusal(layout: Layout, b: Batch, r: Rows, given: Mapping[str, Numbers]) -> None:
    """Count one more refusal in a row; beyond a certain number they are all the same.

    The refusal of a port that was not granted is right, and ends the row.
    """
    so_far = b.load(layout["task", "refusals"], b.task[r], r)
    more = np.minimum(so_far + 1, layout.scenario.most_refusals)
    _put(layout, b, r, "refusals", np.where(np.not_equal(given["granted"], 0), more, 0))


_EFFECTS: Final = {
    Effect.GRANT_PORTS: _grant_ports,
    Effect.GRANT_LEVEL: _grant_level,
    Effect.REVOKE_LEVEL: _revoke_level,
    Effect.REVOKE_ALL: _revoke_all,
    Effect.DROP_PRIVILEGE: _drop_privilege,
    Effect.LOWER_TSS_LIMIT: _lower_limit,
    Effect.MAKE_CHILD: _make_child,
    Effect.START_CHILD: _start_child,
    Effect.FREE_CHILD: _free_child,
    Effect.STOP_TARGET: _stop_target,
    Effect.RELEASE_TARGET: _release_target,
    Effect.REPORT_REFUSAL: _report_refusal,
    Effect.COUNT_REFUSAL: _count_refusal,
}
