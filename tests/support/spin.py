"""Runs Spin on a Promela model: spin writes a checker in C, gcc compiles it, and it searches."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAST = ("-O2", "-DNOBOUNDCHECK", "-DNOCOMP")
"""Compiler options for long searches."""
CAREFUL = ("-O0",)
"""Compiler options with which array indices are checked, too."""


@dataclass(frozen=True)
class SpinResult:
    """What Spin's checker reports about all reachable states."""

    states: int
    transitions: int
    violated: bool
    seconds: float
    output: str


def search(
    require: Callable[[str], Path],
    model: str,
    folder: Path,
    *,
    options: tuple[str, ...] = CAREFUL,
    depth: int = 2_000_000,
    timeout: float | None = None,
) -> SpinResult:
    """Search all states of ``model`` and go on after violations, as iopermit does.

    The search is depth first; ``depth`` bounds the length of its paths. Raises AssertionError if
    spin, gcc or the checker complain about the model or if the search is not complete.
    """
    spin, gcc = require("spin"), require("gcc")
    (folder / "model.pml").write_text(model, encoding="utf-8")
    made = _run([str(spin), "-a", "-o2", "model.pml"], folder)
    assert "error" not in made.lower(), made
    flags = ["-w", "-DSAFETY", "-DNOREDUCE", *options]
    _run([str(gcc), *flags, "-o", "pan", "pan.c"], folder)
    output = _run(["./pan", "-c0", f"-m{depth}", "-w22"], folder, timeout)
    errors = set(re.findall(r"^pan:1: (.*?)(?: \(at depth|$)", output, re.MULTILINE))
    assert errors <= {"assertion violated (verdict==0)"}, output
    assert "max search depth too small" not in output, "the search needs a greater depth"
    assert "Search not completed" not in output, output
    stored, matched = (_number(rf"(\d+) states, {word}", output) for word in ("stored", "matched"))
    return SpinResult(
        states=stored,
        transitions=stored - 1 + matched,  # every state but the initial one is stored once
        violated=bool(errors),
        seconds=float(_found(r"elapsed time ([\d.e+-]+)", output)),
        output=output,
    )


def _run(command: list[str], folder: Path, timeout: float | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _number(pattern: str, text: str) -> int:
    return int(float(_found(pattern, text)))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"{pattern} is not in\n{text}"
    return match.group(1)
