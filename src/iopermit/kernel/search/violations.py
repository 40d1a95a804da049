"""Tells in the specification's words what is wrong in a state, or how the kernel crashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit import arch
from iopermit.engine.trace import Violation

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.state.state import State
    from iopermit.system.site import Site
    from iopermit.system.specification import Finding


def task_name(slot: int | None) -> str:
    """Return the letter of a task, or `idle`."""
    return "idle" if slot is None else chr(ord("A") + slot)


def violation_of(
    found: Finding, kernel: EmulatedKernel, state: State, site: Site | None
) -> Violation:
    """Return the violation that a state shows."""
    if found.kind == "garbage":
        message = "nothing refers to an object that is in use"
        return Violation("garbage", "", 0, (), (), (), "", message, site)
    name, ports = task_name(found.task), arch.format_ranges(found.ports)
    owner = _owner(found, kernel, state) if found.kind == "leak" else ""
    if found.kind == "loss":
        message = f"task {name} may not use ports {ports}, which it was granted"
    else:
        only = f"only task {owner} was granted" if owner else "it was not granted"
        message = f"task {name} may use ports {ports}, which {only}"
    cpu = found.cpu or 0
    return Violation(
        found.kind, name, cpu, found.ports, found.allowed, found.granted, owner, message, site
    )


def _owner(found: Finding, kernel: EmulatedKernel, state: State) -> str:
    """Return the one other task that was granted the leaked ports."""
    owners = []
    for slot, task in enumerate(state.tasks):
        if task is None or slot == found.task:
            continue
        ports = kernel.grants.grants(kernel.task_meta(task).grants).allowed
        if all(ports[first : last + 1].all() for first, last in found.ports):
            owners.append(task_name(slot))
    return owners[0] if len(owners) == 1 else ""


def crash_of(
    crash: Crash, image: Image, slot: int | None, cpu: int, site: Site | None
) -> Violation:
    """Return the violation that a crash is."""
    function = image.function_at(crash.address)
    inner = function.name if function is not None else ""
    outer = site.function if site is not None else ""
    where = f" in {outer or inner}()" if outer or inner else ""
    if inner and outer and inner != outer:
        where += f" (at {inner}())"
    message = f"{crash.message}{where}"
    return Violation("crash", task_name(slot), cpu, (), (), (), "", message, site)
