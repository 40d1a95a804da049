"""Names what the specification finds in a state as reports do: tasks by letter, and whose ports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit import arch
from iopermit.engine.trace import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.system.site import Site
    from iopermit.system.specification import Finding, Ranges

_FOR_EVER: Final = ": the #GP handler says 'again' for ever"


def task_name(slot: int | None) -> str:
    """Return the letter of the task in a slot, or ``idle`` for a CPU's idle task."""
    return "idle" if slot is None else chr(ord("A") + slot)


def violation_of(
    found: Finding, granted: Iterable[tuple[int, NDArray[np.bool_]]], site: Site | None
) -> Violation:
    """Return the violation that a state shows.

    Args:
        found: what the specification forbids in it.
        granted: for each task that is alive its slot, and for each port whether it was granted.
        site: the statement that let it happen, if one is to blame.
    """
    if found.kind == "garbage" or found.task is None or found.cpu is None:
        return Violation("garbage", "", 0, (), (), (), "", _garbage(found), site)
    another = found.kind == "leak" and not found.without_privilege
    owner = _owner(found, granted) if another else ""
    return Violation(
        found.kind,
        task_name(found.task),
        found.cpu,
        found.ports,
        found.allowed,
        found.granted,
        owner,
        _ports(found, owner),
        site,
        without_privilege=found.without_privilege,
        livelock=found.livelock,
    )


def as_livelock(violation: Violation, ports: Ranges, refusals: int) -> Violation:
    """Return the violation by a #GP handler that says "again" for ever, once that was found out.

    Args:
        violation: the loss that was seen first.
        ports: the ports that stay refused all the time.
        refusals: after how many refusals everything is as it was.
    """
    message = f"{_loss(violation.task, ports)}{_FOR_EVER}"
    return replace(violation, ports=ports, message=message, repeats_every=refusals)


def _garbage(found: Finding) -> str:
    if found.unreachable is None:
        return "nothing refers to an object that is in use"
    name, slot = found.unreachable
    return f"nothing refers to {name} {slot}, which is in use"


def _ports(found: Finding, owner: str) -> str:
    name, ports = task_name(found.task), arch.format_ranges(found.ports)
    if found.without_privilege:
        return f"task {name} gained ports {ports} without CAP_SYS_RAWIO"
    if found.kind == "loss":
        return _loss(name, found.ports) + _FOR_EVER * found.livelock
    only = f"only task {owner} was granted" if owner else "it was not granted"
    return f"task {name} may use ports {ports}, which {only}"


def _loss(name: str, ports: Ranges) -> str:
    return f"task {name} may not use ports {arch.format_ranges(ports)}, which it was granted"


def _owner(found: Finding, granted: Iterable[tuple[int, NDArray[np.bool_]]]) -> str:
    """Return the one other task that was granted the ports that leak."""
    owners = [
        task_name(slot)
        for slot, ports in granted
        if slot != found.task and all(ports[first : last + 1].all() for first, last in found.ports)
    ]
    return owners[0] if len(owners) == 1 else ""
