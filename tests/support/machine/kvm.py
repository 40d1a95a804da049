"""Whether tests can use the KVM back end."""

from __future__ import annotations

import pytest

from iopermit.machine.cpu.kvm_api import VirtualMachine
from iopermit.machine.errors import MachineError
from iopermit.machine.memory.physical import PhysicalMemory


def require_kvm() -> None:
    """Skip the running test where /dev/kvm cannot be opened."""
    try:
        VirtualMachine(PhysicalMemory(4 << 20), 1).close()
    except (MachineError, OSError) as error:
        pytest.skip(f"needs /dev/kvm: {error}")


BACKENDS = ("unicorn", "kvm")


def require_backend(name: str) -> None:
    """Skip the running test if a back end cannot be used here."""
    if name == "kvm":
        require_kvm()
