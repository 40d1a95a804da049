"""What a sweep found as JSON, schema "iopermit/sweep/1", and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.report.sweep.facts import (
    SweepReport,
    SweptCommit,
    SweptJob,
    UnsearchedGap,
    Variant,
    VerdictChange,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = "iopermit/sweep/1"
"""Version of the format; another number means that a reader has to change."""

_OWN: Final = (
    *("kind", "subject", "key", "command", "outcome", "violation", "message", "states", "seconds"),
    *("finished", "kept"),
)
"""What of a job has the same name and value in JSON."""


def sweep_json(report: SweepReport) -> dict[str, Any]:
    """Return what a sweep found as an object of JSON."""
    return {
        "schema": SCHEMA,
        "title": report.title,
        "jobs": [_job(job) for job in report.jobs],
        "changes": [_change(change) for change in report.changes],
        "unsearched": [_gap(gap) for gap in report.gaps],
    }


def sweep_from_json(saved: Mapping[str, Any]) -> SweepReport:
    """Return what `sweep_json` made an object of.

    Raises:
        ValueError: it has another schema.
    """
    if saved.get("schema") != SCHEMA:
        message = f"not a sweep of schema {SCHEMA}"
        raise ValueError(message)
    return SweepReport(
        saved["title"],
        tuple(map(_job_of, saved["jobs"])),
        tuple(map(_change_of, saved["changes"])),
        tuple(map(_gap_of, saved["unsearched"])),
    )


def _job(job: SweptJob) -> dict[str, Any]:
    commit = None if job.commit is None else _commit(job.commit)
    own = {name: getattr(job, name) for name in _OWN}
    return own | {"commit": commit, **_variant(job.variant)}


def _job_of(saved: Mapping[str, Any]) -> SweptJob:
    commit = None if saved["commit"] is None else _commit_of(saved["commit"])
    own = {name: saved[name] for name in _OWN}
    return SweptJob(commit=commit, variant=_variant_of(saved), **own)


def _variant(variant: Variant) -> dict[str, Any]:
    cpus, tasks, longs = variant.bounds
    return {
        "patches": variant.patches,
        "configuration": variant.configuration,
        "events": variant.events,
        "cpus": cpus,
        "tasks": tasks,
        "longs": longs,
    }


def _variant_of(saved: Mapping[str, Any]) -> Variant:
    bounds = (saved["cpus"], saved["tasks"], saved["longs"])
    return Variant(saved["patches"], saved["configuration"], saved["events"], bounds)


def _commit(commit: SweptCommit) -> dict[str, Any]:
    return {"hash": commit.hash, "summary": commit.summary, "number": commit.number}


def _commit_of(saved: Mapping[str, Any]) -> SweptCommit:
    return SweptCommit(saved["hash"], saved["summary"], saved["number"])


def _change(change: VerdictChange) -> dict[str, Any]:
    return {
        "subject": change.subject,
        **_variant(change.variant),
        "effect": change.effect,
        "before": change.before,
        "after": change.after,
        "commits": [_commit(commit) for commit in change.commits],
    }


def _change_of(saved: Mapping[str, Any]) -> VerdictChange:
    commits = tuple(map(_commit_of, saved["commits"]))
    variant = _variant_of(saved)
    return VerdictChange(saved["subject"], variant, saved["before"], saved["after"], commits)


def _gap(gap: UnsearchedGap) -> dict[str, Any]:
    return {
        "subject": gap.subject,
        **_variant(gap.variant),
        "first": _commit(gap.first),
        "last": _commit(gap.last),
        "revisions": gap.revisions,
    }


def _gap_of(saved: Mapping[str, Any]) -> UnsearchedGap:
    ends = _commit_of(saved["first"]), _commit_of(saved["last"])
    return UnsearchedGap(saved["subject"], _variant_of(saved), *ends, saved["revisions"])
