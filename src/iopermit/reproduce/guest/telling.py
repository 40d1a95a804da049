"""What the guest tells on its console: kernel, addresses of symbols, results of commands."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.reproduce.guest.commands import HARMLESS_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class CommandResult:
    """How a command ended in one attempt."""

    done: bool
    value: int
    """What the system call returned."""
    error: int
    """The number of its error (errno), or 0."""
    passed: int
    """Which INs did not end in SIGSEGV: a bit for each of `HARMLESS_PORTS`."""
    values: tuple[int, ...]
    """What they read."""

    @property
    def open_ports(self) -> tuple[int, ...]:
        """The ports that it could read."""
        return tuple(p for n, (p, _) in enumerate(HARMLESS_PORTS) if self.passed >> n & 1)


@dataclass
class GuestReport:
    """All that a guest told."""

    version: str = ""
    """/proc/version."""
    command_line: str = ""
    preemption: str = ""
    """The mode of preemption, the one in force in parentheses; empty if it cannot be changed."""
    symbols: dict[str, int] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    """User id and capabilities of each task at its start."""
    results: dict[tuple[int, int], CommandResult] = field(default_factory=dict)
    """By attempt and command."""
    alone: tuple[int, int] = (0, 0)
    """Left alone: how many attempts came to their end, and how many of these showed the fault."""
    failure: str = ""
    """What the guest could not do."""
    ended: bool = False

    def read(self, line: str) -> None:
        """Take note of a line of the console; lines of the kernel are passed over.

        So is a line in whose middle the kernel printed something.
        """
        with contextlib.suppress(ValueError):
            self._read(line)

    def _read(self, line: str) -> None:
        label, _, rest = line.partition(" ")
        match label:
            case "VERSION":
                self.version = rest
            case "CMDLINE":
                self.command_line = rest
            case "PREEMPT":
                self.preemption = rest
            case "SYMBOL":
                address, _, name = rest.partition(" ")
                self.symbols.setdefault(name, int(address, 16))
            case "TASK":
                name, _, credentials = rest.partition(" ")
                self.credentials[name] = credentials
            case "RESULT":
                attempt, command, done, value, error, passed, *values = map(int, rest.split())
                result = CommandResult(bool(done), value, error, passed, tuple(values))
                self.results[attempt, command] = result
            case "FREE":
                done, hits = map(int, rest.split())
                self.alone = done, hits
            case "FAILED":
                self.failure = rest
            case "END":
                self.ended = True


def report_of(lines: Iterable[str]) -> GuestReport:
    """Return what the lines of a console tell."""
    report = GuestReport()
    for line in lines:
        report.read(line)
    return report
