"""Which function of a tree, or of the shim, plays the part of each hook of a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.system.events import hooks
from iopermit.system.events.operations import calls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.system.events import Event


@dataclass(frozen=True)
class TreeFunction:
    """A function that is called from outside.

    Attributes:
        name: its symbol.
        interrupts: whether it is called with interrupts on.
        guarded: whether it may only write the subsystem's own objects. Others write much that is
            no part of the subsystem: fork and exec whole task structures, a context switch debug
            and speculation control.
    """

    name: str
    interrupts: bool = True
    guarded: bool = False


FUNCTIONS: Final[Mapping[str, TreeFunction]] = {
    hooks.IOPERM.name: TreeFunction("__x64_sys_ioperm", guarded=True),
    hooks.IOPL.name: TreeFunction("__x64_sys_iopl", guarded=True),
    hooks.SWITCH_TO.name: TreeFunction("iopermit_switch_to", interrupts=False),
    hooks.RETURN_TO_USER.name: TreeFunction(
        "iopermit_exit_to_user", interrupts=False, guarded=True
    ),
    hooks.FORK.name: TreeFunction("iopermit_fork"),
    hooks.FORK_FAILED.name: TreeFunction("iopermit_fork_failed"),
    hooks.EXIT.name: TreeFunction("iopermit_exit"),
    hooks.EXECVE.name: TreeFunction("flush_thread"),
    hooks.VM_EXIT.name: TreeFunction("iopermit_vm_exit", interrupts=False, guarded=True),
}
"""By the hook's name. `iopermit.kernel.execution.entry` knows with which arguments."""

BRING_UP: Final = "iopermit_bring_up"
"""What brings up a CPU, before anything else happens on it."""

BEGIN_XEN: Final = "iopermit_begin_xen"
"""What registers the operations of a Xen PV guest, before that."""

WITHOUT_FUNCTION: Final = frozenset({hooks.FORK_FAILED_EARLY.name})
"""Hooks for which no tree has anything to execute.

copy_process() frees a child whose thread was not yet copied by free_task(), which goes into x86
code by arch_release_task_struct() only, for the FPU: the subsystem has no part in it.
"""


def can_execute(event: Event) -> bool:
    """Return whether trees do everything that an event calls."""
    body = () if event.operation is None else event.operation.body
    return all(call.hook.name in {*FUNCTIONS, *WITHOUT_FUNCTION} for call in calls(body))
