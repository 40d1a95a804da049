"""The system calls that programs can make; each module enters its own in the table."""

from iopermit.machine.syscalls import (  # noqa: F401 - they fill the table
    absent_calls,
    capability_calls,
    exec_calls,
    identity_calls,
    memory_calls,
    port_calls,
    process_calls,
    schedule_calls,
    signal_calls,
    system_calls,
    time_calls,
    wait_calls,
)
from iopermit.machine.syscalls.files import (  # noqa: F401 - they fill the table
    attribute_calls,
    event_calls,
    file_calls,
    path_calls,
    poll_calls,
    socket_calls,
    stat_calls,
    tree_calls,
)
from iopermit.machine.syscalls.registry import QUIET, SERVICES, Service, SystemCall

__all__ = ["QUIET", "SERVICES", "Service", "SystemCall"]
