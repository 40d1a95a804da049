"""Measures the machine that runs programs: user code, port accesses, switches, start.

Compiles the programs of `benchmarks/programs` and lets `iopermit run` execute them. Each figure is
the difference of a long and a short run, so that the start of the program is not in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from benchmarks.plain_unicorn import run_plainly
from benchmarks.timing import load
from iopermit.designs import designs

if TYPE_CHECKING:
    from collections.abc import Iterator

Row: TypeAlias = dict[str, Any]

_SOURCES: Final = Path(__file__).parent / "programs"
_OPTIONS: Final = {
    "compute": ("-O2", "-nostdlib", "-static"),
    "ports": ("-O1", "-static"),
    "switches": ("-O1", "-static"),
}
_RESOLUTION: Final = 0.001
"""Seconds below which a difference of two runs says nothing."""
_TIMED: Final = """
import json, resource, sys, time
from iopermit.cli import main
def cpu_time():
    # The emulator is a process of its own.
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)
arguments, repeats = json.loads(sys.argv[1]), int(sys.argv[2])
for _ in range(repeats):
    clock, cpu_clock = time.perf_counter(), cpu_time()
    status = main(["run", *arguments])
    sys.stdout.flush()
    taken = time.perf_counter() - clock, cpu_time() - cpu_clock
print(json.dumps([int(status), *taken]), file=sys.stderr)
"""
"""Runs the verb, the last time with everything imported, and tells how long it took."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    """Of the program `compute`, about a million instructions each."""
    accesses: int
    switches: int
    repeats: int
    designs: tuple[str, ...]
    """All if empty."""
    kvm: bool = True
    """Whether to measure that back end too, if it can be used."""


FULL: Final = Size(300, 50_000, 5_000, 3, ())
QUICK: Final = Size(100, 10_000, 1_000, 1, ("linux-5.4", "linux-6.16"))
TINY: Final = Size(2, 100, 20, 1, ("linux-6.16",), kvm=False)


@dataclass(frozen=True)
class Timed:
    """One run of a program."""

    status: int
    seconds: float
    cpu_seconds: float


def measure(size: Size) -> Iterator[tuple[str, list[Row]]]:
    """Give name and rows of one section after the other."""
    cpus = ["unicorn"]
    if size.kvm and os.access("/dev/kvm", os.R_OK | os.W_OK):
        cpus.append("kvm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield "user_code", [_user_code(folder, size, cpu) for cpu in cpus]
        yield "port_accesses", [_port_accesses(folder, size, cpu) for cpu in cpus]
        wanted = size.designs or tuple(designs())
        yield "switches", [_switches(folder, size, design) for design in wanted]
        yield "program_start", [_start(folder, size, cpu) for cpu in cpus]


def _user_code(folder: Path, size: Size, cpu: str) -> Row:
    """Compare user code without port I/O with the same program on Unicorn alone."""
    short, long = (_compiled(folder, "compute", rounds) for rounds in (1, 1 + size.rounds))
    per_round = run_plainly(short, counting=True).instructions
    instructions = per_round * size.rounds
    ours, plain = [], []
    for _ in range(size.repeats):
        first, second = run_plainly(short), run_plainly(long)
        plain.append(second.cpu_seconds - first.cpu_seconds)
        before, after = (_timed("--cpu", cpu, each) for each in (short, long))
        ours.append(after.cpu_seconds - before.cpu_seconds)
        if after.status != second.status:
            message = f"{long} ends with {after.status}, on Unicorn alone with {second.status}"
            raise RuntimeError(message)
    seconds = max(statistics.median(ours), _RESOLUTION)
    plain_seconds = max(statistics.median(plain), _RESOLUTION)
    return {
        "cpu": cpu,
        "instructions": instructions,
        "cpu_seconds": seconds,
        "plain_cpu_seconds": plain_seconds,
        "rate": instructions / seconds,
        "plain_rate": instructions / plain_seconds,
        "slowdown": seconds / plain_seconds,
        "load": load(),
    }


def _port_accesses(folder: Path, size: Size, cpu: str) -> Row:
    program = _compiled(folder, "ports")
    seconds = _difference(size, ("--cpu", cpu, program), size.accesses)
    return {
        "cpu": cpu,
        "accesses": size.accesses,
        "cpu_seconds": seconds,
        "rate": size.accesses / seconds,
        "load": load(),
    }


def _switches(folder: Path, size: Size, design: str) -> Row:
    """Measure two tasks that wake each other; each time there are two switches of the CPU."""
    program = _compiled(folder, "switches")
    arguments = ("--design", design, program)
    row: Row = {"design": design, "switches": 2 * size.switches, "load": load()}
    if _timed(*arguments, 1).status != 0:
        return row | {"cpu_seconds": None, "rate": None}
    seconds = _difference(size, arguments, size.switches)
    return row | {"cpu_seconds": seconds, "rate": 2 * size.switches / seconds}


def _start(folder: Path, size: Size, cpu: str) -> Row:
    """Measure a program that ends at once, in a process that has imported everything."""
    program = _compiled(folder, "compute", 0)
    runs = [_timed("--cpu", cpu, program, repeats=2) for _ in range(size.repeats)]
    return {
        "cpu": cpu,
        "seconds": statistics.median(run.seconds for run in runs),
        "cpu_seconds": statistics.median(run.cpu_seconds for run in runs),
        "load": load(),
    }


def _difference(size: Size, arguments: tuple[str | Path, ...], count: int) -> float:
    """Return the processor seconds that `count` repetitions take."""
    taken = []
    for _ in range(size.repeats):
        before, after = _timed(*arguments, 1), _timed(*arguments, 1 + count)
        if before.status or after.status:
            message = f"iopermit run {arguments} ended with {before.status}, {after.status}"
            raise RuntimeError(message)
        taken.append(after.cpu_seconds - before.cpu_seconds)
    return max(statistics.median(taken), _RESOLUTION)


def _compiled(folder: Path, name: str, rounds: int | None = None) -> Path:
    program = folder / (name if rounds is None else f"{name}-{rounds}")
    if not program.exists():
        options = [*_OPTIONS[name], *([] if rounds is None else [f"-DROUNDS={rounds}"])]
        command = ["gcc", *options, "-o", str(program), str(_SOURCES / f"{name}.c")]
        subprocess.run(command, check=True)
    return program


def _timed(*arguments: str | int | Path, repeats: int = 1) -> Timed:
    command = [sys.executable, "-c", _TIMED, json.dumps([*map(str, arguments)]), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return Timed(*json.loads(done.stderr.splitlines()[-1]))
