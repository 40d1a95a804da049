"""The configurations in which a tree can be built: preemption, and what it runs on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario

_COMMON: Final = """\
CONFIG_64BIT=y
CONFIG_SMP=y
CONFIG_EXPERT=y
CONFIG_X86_IOPL_IOPERM=y
CONFIG_MULTIUSER=y
CONFIG_SYSFS=y
CONFIG_SECURITY=y
CONFIG_PRINTK=y
CONFIG_BUG=y
CONFIG_DEBUG_KERNEL=y
CONFIG_DEBUG_INFO=y
CONFIG_DEBUG_INFO_DWARF4=y
CONFIG_UNWINDER_FRAME_POINTER=y
CONFIG_INIT_STACK_NONE=y
"""
"""What is on beyond `allnoconfig`; Kconfig ignores a symbol that the tree does not have. Without
MULTIUSER capable() is always true, without SECURITY no kernel is ever locked down."""
_REQUIRED: Final = ("64BIT", "SMP", "DEBUG_INFO", "MULTIUSER")
_XEN: Final = ("HYPERVISOR_GUEST", "PARAVIRT", "XEN", "XEN_PV")
"""What makes a kernel one that can be a Xen PV guest."""


@dataclass(frozen=True)
class Configuration:
    """What a tree is configured to be.

    Attributes:
        name: how the command calls it.
        symbol: what of Kconfig tells it from the others.
        preemptible: whether kernel code can be preempted; else a task is switched out where it
            sleeps, and on its way back to user mode.
        xen: whether it runs as a Xen PV guest, where the hypervisor judges accesses to ports.
    """

    name: str
    symbol: str
    preemptible: bool
    xen: bool = False

    @property
    def text(self) -> str:
        """What is given to Kconfig."""
        symbols = (self.symbol, *(_XEN if self.xen else ()))
        return _COMMON + "".join(f"CONFIG_{symbol}=y\n" for symbol in symbols)

    @property
    def required(self) -> tuple[str, ...]:
        """The symbols that must be on afterwards."""
        return (self.symbol, *_REQUIRED, *(_XEN if self.xen else ()))

    @property
    def impossible(self) -> dict[str, str]:
        """The events that cannot happen, by name, and why."""
        found = {}
        if not self.preemptible:
            found["preempt"] = "such a kernel cannot be preempted"
        if self.xen:
            found["vm-exit"] = "a Xen PV guest runs no virtual machine"
        return found

    def possible(self, scenario: Scenario) -> Scenario:
        """Return a scenario without the events that cannot happen."""
        events = frozenset(e for e in scenario.events if e.name not in self.impossible)
        return replace(scenario, events=events)


CONFIGURATIONS: Final = {
    one.name: one
    for one in (
        Configuration("full", "PREEMPT", preemptible=True),
        Configuration("rt", "PREEMPT_RT", preemptible=True),
        Configuration("lazy", "PREEMPT_LAZY", preemptible=True),
        Configuration("voluntary", "PREEMPT_VOLUNTARY", preemptible=False),
        Configuration("none", "PREEMPT_NONE", preemptible=False),
        Configuration("xen", "PREEMPT", preemptible=True, xen=True),
    )
}
"""By name. The default comes first: it lets happen most."""
FULL: Final = CONFIGURATIONS["full"]
