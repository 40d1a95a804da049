"""What was seen on a booted kernel as JSON, schema "iopermit/reproduction/1"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.report.json import verdict_json

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import (
        BootedKernel,
        BootedRun,
        FreeRun,
        Observation,
        Reproduction,
    )

SCHEMA: Final = "iopermit/reproduction/1"
"""Version of the format; another number means that a reader has to change."""


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """Return a reproduction as an object of JSON (docs/reproducing.md)."""
    return {**seen_json(found), "verdict": verdict_json(found.verdict)}


def seen_json(found: Reproduction) -> dict[str, Any]:
    """Return a reproduction without the counterexample, as `check --reproduce` prints it."""
    repaired = found.repaired
    return {
        "schema": SCHEMA,
        "outcome": found.outcome,
        "reason": found.reason,
        "successes": found.successes,
        "runs": [_run(run) for run in found.runs],
        "controls": [_run(run) for run in found.controls],
        "forced_by": list(found.forced_by),
        "credentials": found.credentials,
        "kernel": None if found.kernel is None else _kernel(found.kernel),
        "free": None if found.free is None else _free(found.free),
        "repaired": None
        if repaired is None
        else {"kernel": _kernel(repaired.kernel), "run": _run(repaired.run)},
    }


def _free(free: FreeRun) -> dict[str, Any]:
    return {
        "attempts": free.attempts,
        "hits": free.hits,
        "per_million": round(free.per_million, 1),
        "seconds": round(free.seconds, 1),
    }


def _kernel(kernel: BootedKernel) -> dict[str, Any]:
    return {
        "image": kernel.image,
        "built_from": kernel.built_from,
        "version": kernel.version,
        "command_line": kernel.command_line,
        "preemption": kernel.preemption,
        "emulator": kernel.emulator,
    }


def _run(run: BootedRun) -> dict[str, Any]:
    return {
        "position": run.position.value,
        "seconds": round(run.seconds, 1),
        "forced": run.forced,
        "forbidden": run.forbidden,
        "unforced": run.unforced,
        "unforced_step": run.unforced_step,
        "shown": run.shown,
        "tss_shows": run.tss_shows,
        "guest_shows": run.guest_shows,
        "crash": run.crash,
        "observations": [_observation(seen) for seen in run.observations],
        "reads": [
            {"port": read.port, "width": read.width, "passed": read.passed, "value": read.value}
            for read in run.reads
        ],
    }


def _observation(seen: Observation) -> dict[str, Any]:
    return {
        "step": seen.step,
        "place": seen.place,
        "cpu": seen.cpu,
        "task": seen.task,
        "holds": seen.holds,
        "tss": {
            "base": seen.tss.base,
            "limit": seen.tss.limit,
            "selected": seen.tss.selected.value,
            "allowed": [list(pair) for pair in seen.tss.allowed],
        },
    }
