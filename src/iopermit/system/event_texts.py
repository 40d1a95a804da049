"""How traces say what happens at an event, for designs and for kernel trees."""

from typing import Final

EVENT_TEXTS: Final = {
    "fork": "fork()",
    "fork-fails": "fork() that fails late",
    "io-thread": "creates a kernel thread",
    "io-thread-fails": "creates a kernel thread, which fails late",
    "exit": "exit()",
    "exec": "execve()",
    "drop-privilege": "drops CAP_SYS_RAWIO",
    "vm-exit": "VM exit: the cached TSS limit falls to 0x67",
    "fault": "a port access faults (#GP)",
    "switch": "switch_to()",
}
"""By the event's name; calls with arguments (ioperm, iopl) are put together by the replay."""
