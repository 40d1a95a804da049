"""The hooks of a design, each declared once: its parameters, its result, what is switched off."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class Kind(enum.Enum):
    """What a parameter of a hook or an argument of an event is; the value is its type."""

    CPU = "Cpu"
    TASK = "Task"
    PORTS = "PortRange"
    FLAG = "bool"
    LEVEL = "int"
    """An I/O privilege level, 0 to 3."""


class Returns(enum.Enum):
    """What a hook returns; the value is its type."""

    NOTHING = "None"
    ERROR = "int"
    """0, or a negated error number."""
    FLAG = "bool"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a hook; hooks take it by its place."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Hook:
    """A point where kernels differ: a method of a design that the system around it calls."""

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    returns: Returns = Returns.NOTHING
    required: bool = False
    """Whether a design must have it."""
    preemption: bool = True
    """Whether the task can be preempted while it executes the hook."""
    interrupts: bool = True
    """Whether interrupts are on; without them there is no preemption either."""

    @property
    def preemptible(self) -> bool:
        """Whether another task may come in between, as far as the caller is concerned."""
        return self.preemption and self.interrupts

    @property
    def declaration(self) -> str:
        """The first line of the method, as a design writes it."""
        listed = "".join(f", {p.name}: {p.kind.value}" for p in self.parameters)
        return f"def {self.name}(self{listed}) -> {self.returns.value}:"


_CPU: Final = Parameter("cpu", Kind.CPU)
_TASK: Final = Parameter("task", Kind.TASK)
_CHILD: Final = Parameter("child", Kind.TASK)

HOOKS: Final[dict[str, Hook]] = {}
"""Every hook by its name, in the order in which tools go through them."""


def declare(hook: Hook) -> Hook:
    """Enter a hook into the table and return it.

    Raises:
        ValueError: there is a hook of that name.
    """
    if hook.name in HOOKS:
        raise ValueError(f"there is a hook {hook.name!r} already")
    HOOKS[hook.name] = hook
    return hook


BRING_UP: Final = declare(
    Hook(
        "bring_up",
        "initialise the TSS of a CPU that comes up, at boot or after it was down",
        (_CPU,),
        interrupts=False,
    )
)
IOPERM: Final = declare(
    Hook(
        "ioperm",
        "serve the system call ioperm",
        (_CPU, _TASK, Parameter("ports", Kind.PORTS), Parameter("turn_on", Kind.FLAG)),
        Returns.ERROR,
        required=True,
    )
)
IOPL: Final = declare(
    Hook(
        "iopl",
        "serve the system call iopl",
        (_CPU, _TASK, Parameter("level", Kind.LEVEL)),
        Returns.ERROR,
        required=True,
    )
)
SWITCH_TO: Final = declare(
    Hook(
        "switch_to",
        "switch the CPU from one task to another",
        (_CPU, Parameter("previous", Kind.TASK), Parameter("following", Kind.TASK)),
        required=True,
        interrupts=False,
    )
)
RETURN_TO_USER: Final = declare(
    Hook(
        "return_to_user",
        "do what is left to do on the way back to user mode",
        (_CPU, _TASK),
        interrupts=False,
    )
)
FORK: Final = declare(
    Hook("fork", "after the task structure was copied", (_CPU, _TASK, _CHILD), Returns.ERROR)
)
FORK_FAILED: Final = declare(
    Hook("fork_failed", "unwind a fork that failed later", (_CPU, _TASK, _CHILD))
)
FORK_FAILED_EARLY: Final = declare(
    Hook(
        "fork_failed_early",
        "free a task structure after a fork that failed before the hook fork",
        (_CPU, _TASK, _CHILD),
    )
)
EXIT: Final = declare(Hook("exit", "let go of what a task has that ends", (_CPU, _TASK)))
EXECVE: Final = declare(Hook("execve", "prepare a task for another program", (_CPU, _TASK)))
VM_EXIT: Final = declare(
    Hook(
        "vm_exit",
        "come back from a guest, which lowered the cached TSS limit",
        (_CPU, _TASK),
        preemption=False,
    )
)
READ_MAP: Final = declare(
    Hook(
        "read_map",
        "read the map of another task, which is stopped meanwhile, as a register-set dump does",
        (_CPU, _TASK, Parameter("target", Kind.TASK)),
    )
)
GENERAL_PROTECTION: Final = declare(
    Hook(
        "general_protection",
        "handle a refused port access; return whether to execute the instruction again",
        (_CPU, _TASK),
        Returns.FLAG,
    )
)
