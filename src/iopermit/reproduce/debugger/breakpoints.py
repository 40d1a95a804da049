"""The breakpoints that are set, and letting the machine run up to the next of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.kernel import StoppedKernel
    from iopermit.reproduce.debugger.remote import Registers


class Breakpoints:
    """The breakpoints of a machine.

    Whenever one comes or goes QEMU translates all code anew, which takes the guest's time: it is
    better to have few of them, and not at what happens often.
    """

    def __init__(self, kernel: StoppedKernel) -> None:
        """Begin with none."""
        self.kernel, self.debugger = kernel, kernel.debugger
        self.addresses: set[int] = set()

    def next_stop(self) -> tuple[int, Registers]:
        """Let the machine run up to the next stop; return which CPU stopped, and its registers."""
        cpu = self.debugger.go_on()
        return cpu, self.kernel.registers(cpu)

    def add(self, *addresses: int) -> None:
        """Stop at instructions."""
        for address in addresses:
            if address not in self.addresses:
                self.debugger.stop_at(address)
                self.addresses.add(address)

    def remove(self, *addresses: int) -> None:
        """Stop there no more."""
        for address in self.addresses.intersection(addresses):
            self.debugger.pass_by(address)
        self.addresses -= set(addresses)

    def go_past(self, address: int, cpu: int) -> None:
        """Execute the instruction that a CPU stopped before, without interrupts."""
        there = address in self.addresses
        self.remove(address)
        self.debugger.step(cpu)
        if there:
            self.add(address)
