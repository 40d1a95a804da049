"""The table of what can happen: one row for each event, in the order in which they are listed."""

from iopermit.system.events import hooks, operations
from iopermit.system.events.arguments import Child, Granted, Home, Level, Ports, Target
from iopermit.system.events.event import (
    EVERYBODY,
    IDLE,
    USERS,
    Asked,
    Event,
    Precondition,
    register,
)

Event.IOPERM = register(
    Event(
        name="ioperm",
        meaning="A task calls ioperm(2), on or off, over any range of the scenario.",
        text="ioperm({ports.first}, {ports.count}, {turn_on:d})",
        asked=Asked.PLAIN,
        who=USERS,
        operation=operations.IOPERM,
        arguments=Ports(),
    )
)
Event.IOPL = register(
    Event(
        name="iopl",
        meaning="A task calls iopl(2) with level 0 or 3.",
        text="iopl({level})",
        asked=Asked.PLAIN,
        who=USERS,
        operation=operations.IOPL,
        arguments=Level((3, 0)),
    )
)
Event.IOPL_LEVELS = register(
    Event(
        name="iopl-levels",
        meaning="A task calls iopl(2) with level 1 or 2, which open no port.",
        text="iopl({level})",
        asked=Asked.ALL,
        who=USERS,
        operation=operations.IOPL,
        arguments=Level((1, 2)),
    )
)
Event.FORK = register(
    Event(
        name="fork",
        meaning="A task forks, and the fork succeeds.",
        text="fork()",
        asked=Asked.PLAIN,
        who=USERS,
        operation=operations.FORK,
        arguments=Child(),
        fixed={"fails": False, "kernel_thread": False},
        guard=Precondition.FREE_SLOT,
    )
)
Event.FORK_FAILS = register(
    Event(
        name="fork-fails",
        meaning="A task forks; after its thread state was copied the fork fails and is unwound.",
        text="fork() that fails late",
        asked=Asked.ALL,
        who=USERS,
        operation=operations.FORK,
        arguments=Child(),
        fixed={"fails": True, "kernel_thread": False},
        guard=Precondition.FREE_SLOT,
    )
)
Event.FORK_FAILS_EARLY = register(
    Event(
        name="fork-fails-early",
        meaning=(
            "A task forks; the fork fails before its thread state was copied, "
            "when all pointers of the child are still those of the parent."
        ),
        text="fork() that fails early",
        asked=Asked.ALL,
        who=USERS,
        operation=operations.FORK_FAILS_EARLY,
        arguments=Child(),
        fixed={"kernel_thread": False},
        guard=Precondition.FREE_SLOT,
    )
)
Event.EXIT = register(
    Event(
        name="exit",
        meaning="A task ends.",
        text="exit()",
        asked=Asked.PLAIN,
        who=EVERYBODY,
        operation=operations.EXIT,
    )
)
Event.IO_THREAD = register(
    Event(
        name="io-thread",
        meaning="A task creates a kernel thread that inherits from it, like a worker of io_uring.",
        text="creates a kernel thread",
        asked=Asked.ALL,
        who=EVERYBODY,
        operation=operations.FORK,
        arguments=Child(),
        fixed={"fails": False, "kernel_thread": True},
        guard=Precondition.FREE_SLOT,
    )
)
Event.IO_THREAD_FAILS = register(
    Event(
        name="io-thread-fails",
        meaning="A task creates a kernel thread, which fails late and is unwound.",
        text="creates a kernel thread, which fails late",
        asked=Asked.NEVER,
        needs=(Event.IO_THREAD, Event.FORK_FAILS),
        who=EVERYBODY,
        operation=operations.FORK,
        arguments=Child(),
        fixed={"fails": True, "kernel_thread": True},
        guard=Precondition.FREE_SLOT,
    )
)
Event.EXEC = register(
    Event(
        name="exec",
        meaning="A task executes another program.",
        text="execve()",
        asked=Asked.PLAIN,
        who=USERS,
        operation=operations.EXEC,
    )
)
Event.DROP_PRIVILEGE = register(
    Event(
        name="drop-privilege",
        meaning="A task gives up CAP_SYS_RAWIO for good.",
        text="drops CAP_SYS_RAWIO",
        asked=Asked.PLAIN,
        who=USERS,
        operation=operations.DROP_PRIVILEGE,
        guard=Precondition.PRIVILEGED,
    )
)
Event.SWITCH = register(
    Event(
        name="switch",
        meaning="A CPU switches to another task, or to its idle task.",
        text="switch_to()",
        asked=Asked.NEVER,
    )
)
Event.ALLOCATION_FAILS = register(
    Event(
        name="allocation-fails",
        meaning="A kernel memory allocation fails.",
        asked=Asked.PLAIN,
        part_of=Event.IOPERM,
    )
)
Event.PREEMPT = register(
    Event(
        name="preempt",
        meaning=(
            "A task is preempted while it executes kernel code. (In user mode it always can be. "
            "Without this event a task in the kernel is switched out where it sleeps: at an "
            "allocation with preemption on, before the hooks of fork, execve, exit and of "
            "reading a map, between the parts of a fork that fails, at its end, and before the "
            "last work on the way back to user mode.)"
        ),
        asked=Asked.PLAIN,
        part_of=Event.SWITCH,
    )
)
Event.MIGRATE = register(
    Event(
        name="migrate",
        meaning="A preempted task continues on another CPU.",
        asked=Asked.PLAIN,
        part_of=Event.SWITCH,
    )
)
Event.VM_EXIT = register(
    Event(
        name="vm-exit",
        meaning="A virtual machine exits: the limit cached in TR falls to 0x67.",
        text="VM exit: the cached TSS limit falls to 0x67",
        asked=Asked.ALL,
        who=USERS,
        operation=operations.VM_EXIT,
        hook=hooks.VM_EXIT,
    )
)
Event.READ_MAP = register(
    Event(
        name="read-map",
        meaning="A task reads the map of another one, which is stopped, as ptrace(2) lets it.",
        text="ptrace(): reads the map of task {target}",
        asked=Asked.ALL,
        who=USERS,
        operation=operations.READ_MAP,
        arguments=Target(),
        guard=Precondition.STOPPABLE,
        hook=hooks.READ_MAP,
    )
)
Event.FAULT = register(
    Event(
        name="fault",
        meaning="A port access is refused, and the kernel handles the #GP.",
        text="a port access faults (#GP)",
        asked=Asked.NEVER,
        who=USERS,
        operation=operations.FAULT,
        arguments=Granted(),
        guard=Precondition.REFUSED,
        hook=hooks.GENERAL_PROTECTION,
    )
)
Event.CPU_OFFLINE = register(
    Event(
        name="cpu-offline",
        meaning=(
            "An idle CPU other than the last goes down, its tasks become runnable elsewhere, and "
            "it comes up again: TR is loaded, and the hook `bring_up` runs."
        ),
        text="CPU {cpu} goes down and comes up again",
        asked=Asked.ALL,
        who=IDLE,
        operation=operations.CPU_OFFLINE,
        arguments=Home(),
        guard=Precondition.OTHERS_STAY_UP,
    )
)
