"""What the rest of the kernel would do: host implementations of functions and data.

Each function has a documented meaning, which is all of it: nothing else happens. `FUNCTIONS` maps
the kernel's names to them. They get the emulated machine's host interface and the arguments
as the System V ABI passes them, and return what goes into RAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.crashes import CrashKind
from iopermit.kernel.execution.host.allocations import ALLOCATIONS
from iopermit.kernel.execution.host.interface import HostInterface, Implementation, fill
from iopermit.kernel.image.linker import HostData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EPERM: Final = 1


def _kfree(host: HostInterface, arguments: Sequence[int]) -> int:
    """Free an object; NULL is allowed."""
    if arguments[0]:
        host.free(arguments[0])
    return 0


def _capable(host: HostInterface, _: Sequence[int]) -> int:
    """Tell whether the current task has the capability: CAP_SYS_RAWIO is the only one asked."""
    return int(host.privileged)


def _locked_down(host: HostInterface, _: Sequence[int]) -> int:
    """Refuse with EPERM if the kernel is locked down."""
    return -_EPERM if host.locked_down else 0


def _refcount_warning(host: HostInterface, arguments: Sequence[int]) -> int:
    """Report a reference count that saturates (enum refcount_saturation_type)."""
    kinds = (
        "refcount_t: increment from zero or overflow; use after free",
        "refcount_t: saturated; leaking memory",
        "refcount_t: addition on 0; use-after-free",
        "refcount_t: underflow; use-after-free",
        "refcount_t: decrement hit 0; leaking memory",
    )
    kind = arguments[1]
    host.crash(CrashKind.WARNING, kinds[kind] if kind < len(kinds) else "refcount_t: saturated")
    return 0


def _warning(host: HostInterface, _: Sequence[int]) -> int:
    """Report a WARN() with a message."""
    host.crash(CrashKind.WARNING, "WARNING: a WARN() of the kernel")
    return 0


def _panic(host: HostInterface, _: Sequence[int]) -> int:
    """Report a panic()."""
    host.crash(CrashKind.WARNING, "the kernel panics")
    return 0


def _memcpy(host: HostInterface, arguments: Sequence[int]) -> int:
    """Copy (to, from, size), for trees whose own memcpy is not built."""
    host.write(arguments[0], host.read(arguments[1], arguments[2]))
    return arguments[0]


def _memset(host: HostInterface, arguments: Sequence[int]) -> int:
    """Fill (to, byte, size), for trees whose own memset is not built."""
    return fill(host, arguments[0], arguments[2], arguments[1] & 0xFF)


def _nothing(_: HostInterface, __: Sequence[int]) -> int:
    """Do nothing and return 0."""
    return 0


def _entry_area(host: HostInterface, arguments: Sequence[int]) -> int:
    """Return the address of a CPU's entry area, of which there is nothing but the TSS."""
    return host.cpu_entry_area(arguments[0])


FREES: Final = frozenset({"kfree", "kvfree"})
"""Functions that free their first argument."""
ACCESSES: Final[dict[str, Callable[[Sequence[int]], list[tuple[int, int, bool]]]]] = {
    **dict.fromkeys(("kmemdup", "kmemdup_noprof"), lambda a: [(a[0], a[1], False)]),
    **dict.fromkeys(
        ("memcpy", "__memcpy", "memcpy_and_pad"),
        lambda a: [(a[1], a[2], False), (a[0], a[2], True)],
    ),
    "memset": lambda a: [(a[0], a[2], True)],
}
"""What functions access by their arguments: address, bytes, and whether they write."""

FUNCTIONS: Final[dict[str, Implementation]] = {
    **ALLOCATIONS,
    **dict.fromkeys(("kfree", "kvfree"), _kfree),
    **dict.fromkeys(("capable", "ns_capable"), _capable),
    "security_locked_down": _locked_down,
    "refcount_warn_saturate": _refcount_warning,
    "__SCT__WARN_trap": _warning,
    "__warn_printk": _warning,
    "warn_slowpath_fmt": _warning,
    "panic": _panic,
    "memcpy": _memcpy,
    "__memcpy": _memcpy,
    "memset": _memset,
    "get_cpu_entry_area": _entry_area,
    "memcpy_and_pad": _memcpy,
    **dict.fromkeys(
        (
            "___preempt_schedule",
            "___preempt_schedule_notrace",
            "__SCT__preempt_schedule",
            "__SCT__preempt_schedule_notrace",
            "_printk",
            "add_taint",
            "debug_locks_off",
            "enter_lazy_tlb",
            "flush_ptrace_hw_breakpoint",
            "fpregs_assert_state_consistent",
            "fpu__clear",
            "fpu__clear_all",
            "fpu__clear_user_states",
            "fpu__copy",
            "fpu__drop",
            "fpu__init_cpu",
            "fpu_clone",
            "fpu_flush_thread",
            "initialize_tlbstate_and_flush",
            "local_touch_nmi",
            "preempt_schedule",
            "preempt_schedule_notrace",
            "preempt_schedule_notrace_thunk",
            "preempt_schedule_thunk",
            "printk",
            "switch_fpu_return",
            "switch_to_sld",
            "update_spec_ctrl_cond",
            "x86_configure_nx",
            "_raw_spin_lock",
            "_raw_spin_unlock",
            "fire_user_return_notifiers",
        ),
        _nothing,
    ),
}
"""Host implementations by the kernel's name. `_nothing` stands for what neither touches port
permissions nor decides about them here: messages, the FPU, speculation control, breakpoints,
spinlocks of data that one CPU uses alone, and preemption points, which the
search places itself."""


DATA: Final[dict[str, HostData]] = {
    "__preempt_count": HostData(4, per_cpu=True),
    "kmalloc_caches": HostData(0x1000),
    "current_task": HostData(8, per_cpu=True),
    "cpu_number": HostData(4, per_cpu=True),
    "this_cpu_off": HostData(8, per_cpu=True),
    "cpu_current_top_of_stack": HostData(8, per_cpu=True),
    "cpu_tlbstate": HostData(512, per_cpu=True),
    "cpu_info": HostData(1024, per_cpu=True),
    "pcpu_hot": HostData(64, per_cpu=True),
    "fpu_fpregs_owner_ctx": HostData(8, per_cpu=True),
    "x86_spec_ctrl_current": HostData(8, per_cpu=True),
    "x86_ibpb_exit_to_user": HostData(1, per_cpu=True),
    "__per_cpu_offset": HostData(8 * 64),
    "boot_cpu_data": HostData(1024),
    "nr_cpu_ids": HostData(4),
    "init_task": HostData(0x4000),
    "arch_task_struct_size": HostData(4),
    "switch_to_cond_stibp": HostData(16),
    "x86_spec_ctrl_base": HostData(8),
    "x86_amd_ls_cfg_base": HostData(8),
    "x86_amd_ls_cfg_ssbd_mask": HostData(8),
    "debug_locks_silent": HostData(4),
    "oops_in_progress": HostData(4),
    "__fpu_state_size_dynamic": HostData(16),
    "static_key_initialized": HostData(1),
    "ret_from_fork": HostData(16),
    "ret_from_fork_asm": HostData(16),
    "x86_pred_cmd": HostData(8),
    "smp_ops": HostData(256),
    "cpu_buf_idle_clear": HostData(16),
    "mds_idle_clear": HostData(16),
    "cpu_feature_keys": HostData(64),
    "mds_user_clear": HostData(16),
    "kstack_offset": HostData(4, per_cpu=True),
    "init_mm": HostData(0x1000),
    "cea_exception_stacks": HostData(8, per_cpu=True),
    "idt_descr": HostData(16),
    "debug_idt_descr": HostData(16),
    "entry_SYSCALL_64": HostData(16),
    "ignore_sysret": HostData(16),
    "randomize_kstack_offset": HostData(16),
}
"""Variables of the rest of the kernel, all zero but where the loader sets them: no optional CPU
feature, no mitigation, and this CPU's own values in `struct pcpu_hot` or what was there before."""
