"""The system calls that programs can make; each module enters its own in the table."""

from iopermit.machine.syscalls import (
    file_calls,
    identity_calls,
    memory_calls,
    path_calls,
    poll_calls,
    port_calls,
    process_calls,
    read_only_calls,
    schedule_calls,
    signal_calls,
    system_calls,
    time_calls,
    wait_calls,
)
from iopermit.machine.syscalls.registry import QUIET, SERVICES, Call, Service

__all__ = [
    "QUIET",
    "SERVICES",
    "Call",
    "Service",
    "file_calls",
    "identity_calls",
    "memory_calls",
    "path_calls",
    "poll_calls",
    "port_calls",
    "process_calls",
    "read_only_calls",
    "schedule_calls",
    "signal_calls",
    "system_calls",
    "time_calls",
    "wait_calls",
]
