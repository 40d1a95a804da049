"""Runs Spin: spin writes a checker in C, gcc compiles it, and it searches all states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.timing import run

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.subjects import Subject

COMPILER_FLAGS: Final = ("-w", "-O2", "-DSAFETY", "-DNOREDUCE", "-DNOBOUNDCHECK")
"""Safety only, no reduction. In Spin's favour, NOBOUNDCHECK leaves out the test of indices."""

_DEPTH: Final = 1_000_000
_LEAST_TABLE_BITS, _MOST_TABLE_BITS = 18, 28


@dataclass(frozen=True)
class SpinRun:
    """What Spin found, and how long each part took in seconds."""

    states: int
    transitions: int
    violated: bool
    spin_seconds: float
    gcc_seconds: float
    process_seconds: float
    """The checker from start to end."""
    search_seconds: float
    """The time that the checker says it took."""
    search_cpu_seconds: float
    """Processor time of the checker: other load on the machine matters less to it."""
    cpu_seconds: float
    """Processor time of everything."""

    @property
    def total_seconds(self) -> float:
        """From the first command to the verdict."""
        return self.spin_seconds + self.gcc_seconds + self.process_seconds


def search(subject: Subject, expected_states: int, folder: Path) -> SpinRun:
    """Search all states of ``subject`` and go on after violations.

    Spin's hash table gets at least as many slots as there are states, so that it does not
    suffer from long chains. Writing the Promela is not counted. Raises RuntimeError if Spin
    complains about the model or if the search is not complete.
    """
    (folder / "model.pml").write_text(subject.promela(), encoding="utf-8")
    made = run(["spin", "-a", "-o2", "model.pml"], folder=folder)
    compiled = run(["gcc", *COMPILER_FLAGS, *_vector(folder), "-o", "pan", "pan.c"], folder=folder)
    bits = min(max(expected_states.bit_length(), _LEAST_TABLE_BITS), _MOST_TABLE_BITS)
    done = run(["./pan", "-c0", f"-m{_DEPTH}", f"-w{bits}"], folder=folder)
    if "max search depth too small" in done.output or "not completed" in done.output:
        raise RuntimeError(done.output)
    stored = int(_number(r"(\S+) states, stored", done.output))
    matched = int(_number(r"(\S+) states, matched", done.output))
    return SpinRun(
        states=stored,
        transitions=stored - 1 + matched,  # every state but the initial one is stored once
        violated="assertion violated" in done.output,
        spin_seconds=made.seconds,
        gcc_seconds=compiled.seconds,
        process_seconds=done.seconds,
        search_seconds=_number(r"elapsed time (\S+)", done.output),
        search_cpu_seconds=done.cpu_seconds,
        cpu_seconds=made.cpu_seconds + compiled.cpu_seconds + done.cpu_seconds,
    )


def _vector(folder: Path) -> list[str]:
    """Return the option for states larger than Spin has room for, as the export advises."""
    text = (folder / "model.pml").read_text(encoding="utf-8")
    return re.findall(r"-DVECTORSZ=\d+", text)[:1]


def _number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if match is None:
        message = f"{pattern} is not in what Spin's checker printed:\n{text}"
        raise RuntimeError(message)
    return float(match.group(1))
