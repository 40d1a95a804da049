"""Scheduling: CPUs, yield and priorities."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from iopermit.machine.errors import KernelError
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.tasks.process import UserTask


def _task(call: SystemCall, tid: int) -> UserTask:
    if not tid:
        return call.task
    task = call.machine.tasks.get(tid)
    if task is None:
        raise KernelError(errno.ESRCH)
    return task


@call("sched_yield", 24, 158)
def sched_yield(call: SystemCall) -> int:
    """Let another task run."""
    call.machine.resched = True
    return 0


@call("sched_setaffinity", 203, 241, "pid size mask")
def sched_setaffinity(call: SystemCall, pid: int, size: int, mask: int) -> int:
    """Choose the CPUs that a task may run on."""
    task = _task(call, pid)
    bits = call.read_int(mask, min(size, 128))
    cpus = frozenset(cpu for cpu in range(call.machine.options.cpus) if bits >> cpu & 1)
    if not cpus:
        return -errno.EINVAL
    task.affinity = cpus
    call.machine.resched = True
    return 0


@call("sched_getaffinity", 204, 242, "pid size mask")
def sched_getaffinity(call: SystemCall, pid: int, size: int, mask: int) -> int:
    """Tell the CPUs that a task may run on."""
    task = _task(call, pid)
    if size < call.word or size % call.word:
        return -errno.EINVAL
    call.write_int(mask, sum(1 << cpu for cpu in task.affinity), call.word)
    return call.word


@call("getcpu", 309, 318, "cpu node unused")
def getcpu(call: SystemCall, cpu: int, node: int, _unused: int) -> int:
    """Tell the CPU that the task runs on."""
    if cpu:
        call.write_int(cpu, call.task.last_cpu, 4)
    if node:
        call.write_int(node, 0, 4)
    return 0


@call("getpriority", 140, 96, "which who", "every task has the same priority")
def getpriority(_call: SystemCall, _which: int, _who: int) -> int:
    """Tell the priority: 20 minus a nice value of 0."""
    return 20


@call("setpriority", 141, 97, "which who value", "ignored")
def setpriority(_call: SystemCall, _which: int, _who: int, _value: int) -> int:
    """Do nothing."""
    return 0


@call("sched_getscheduler", 145, 157, "pid")
def sched_getscheduler(call: SystemCall, pid: int) -> int:
    """Tell the policy: SCHED_OTHER."""
    _task(call, pid)
    return 0


@call("sched_getparam", 143, 155, "pid parameters")
def sched_getparam(call: SystemCall, pid: int, parameters: int) -> int:
    """Tell the priority of the policy."""
    _task(call, pid)
    call.write_int(parameters, 0, 4)
    return 0


@call("sched_get_priority_max", 146, 159, "policy")
def sched_get_priority_max(_call: SystemCall, policy: int) -> int:
    """Tell the highest priority of a policy."""
    return 99 if policy in (1, 2) else 0


@call("sched_get_priority_min", 147, 160, "policy")
def sched_get_priority_min(_call: SystemCall, policy: int) -> int:
    """Tell the lowest priority of a policy."""
    return 1 if policy in (1, 2) else 0
