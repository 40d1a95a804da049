"""Runs commands and takes their time and memory; describes the machine."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import llvmlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass(frozen=True)
class Run:
    """One finished command."""

    seconds: float
    """From start to end, by the clock on the wall."""
    cpu_seconds: float
    """Processor time of the process and its children."""
    status: int
    output: str


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
    allowed: tuple[int, ...] = (0,),
) -> Run:
    """Run a command and return what it cost; RuntimeError if it ends with another status."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=_ordinary(environment), stdout=output, stderr=errors
        )
        _, wait_status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = status = os.waitstatus_to_exitcode(wait_status)
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read().decode(), errors.read().decode()
    if status not in allowed:
        message = f"{' '.join(command)} ended with status {status}\n{text}\n{complaint}"
        raise RuntimeError(message)
    return Run(seconds, usage.ru_utime + usage.ru_stime, status, text)


def _ordinary(environment: dict[str, str] | None) -> dict[str, str]:
    """Let Python keep its byte code, as an installed command has it."""
    variables = dict(os.environ if environment is None else environment)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    return variables


@contextmanager
def empty_caches() -> Iterator[dict[str, str]]:
    """Give an environment in which no machine code of an earlier run is found."""
    with tempfile.TemporaryDirectory() as folder:
        yield os.environ | {"XDG_CACHE_HOME": folder}


def medians(times: int, measure: Callable[[], Run]) -> tuple[float, float]:
    """Return the medians of the seconds and of the processor seconds of several runs."""
    runs = [measure() for _ in range(times)]
    return (
        statistics.median(each.seconds for each in runs),
        statistics.median(each.cpu_seconds for each in runs),
    )


def load() -> float:
    """Return the number of processes that wanted to run during the last minute."""
    return os.getloadavg()[0]


def machine() -> dict[str, str | int | float]:
    """Describe the machine and the versions of what matters."""
    return {
        "processor": _processor(),
        "logical_cpus": os.cpu_count() or 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "llvmlite": llvmlite.__version__,
        "load_average": round(load(), 2),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
