"""Makes the CPU back end that the user wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.machine.errors import MachineError

if TYPE_CHECKING:
    from iopermit.machine.cpu.interface import CpuBackend, PortCheck
    from iopermit.machine.cpu.tables import ProcessorTables
    from iopermit.machine.memory.physical import PhysicalMemory

NAMES = ("unicorn", "kvm")


def make_backend(
    name: str, memory: PhysicalMemory, tables: ProcessorTables, permitted: PortCheck
) -> CpuBackend:
    """Return a back end. Raises MachineError if it cannot be used here."""
    if name == "kvm":
        from iopermit.machine.cpu.kvm_cpu import KvmCpu  # only where it is wanted

        return KvmCpu(memory, tables)
    from iopermit.machine.cpu.unicorn_cpu import UnicornCpu

    try:
        return UnicornCpu(memory, tables, permitted)
    except RuntimeError as error:
        raise MachineError(str(error)) from error
