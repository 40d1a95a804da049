"""The options for searches beyond one memory or one sitting, and what they mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.process.extras import require

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.search.problem import Problem
    from iopermit.system.scenario import Scenario

Checkpoint = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write checkpoints there, to go on with --resume DIR."),
]
Interval = Annotated[
    str | None,
    typer.Option(
        "--every",
        metavar="TIME",
        help="Time between two checkpoints, such as 30s, 5m or 1h.",
        show_default="60s",
    ),
]
Resume = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Go on from the checkpoint that is there.")
]
Disk = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep the states there, not in memory, with checkpoints."),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Search on the nodes of this Ray cluster (`auto`: a local one). DIR is shared.",
    ),
]

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_MOST_SECONDS: Final = 1e9
"""Some thirty years, as of other times."""


@dataclass(frozen=True)
class ScaleRequest:
    """What was asked for beyond a search in memory."""

    checkpoint: Path | None = None
    interval: str | None = None
    resume: Path | None = None
    disk: Path | None = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together. Raises BadInputError."""
        seconds(self.interval)
        if self.interval is not None and not self.is_wanted:
            raise BadInputError("--every needs --checkpoint DIR, --disk DIR or --resume DIR")
        if self.cluster is not None:
            require("cluster")
            if not self.is_wanted:
                raise BadInputError(
                    "--cluster needs --checkpoint DIR, --disk DIR or --resume DIR, a directory "
                    "that every node shares"
                )
        named = {path for path in (self.checkpoint, self.resume, self.disk) if path is not None}
        if len(named) > 1:
            raise BadInputError(
                "--checkpoint, --disk and --resume name one directory, which has it all; "
                f"choose one of {', '.join(sorted(map(str, named)))}"
            )

    @property
    def is_wanted(self) -> bool:
        """Whether anything was asked for."""
        return any(path is not None for path in (self.checkpoint, self.resume, self.disk))

    @property
    def directory(self) -> Path:
        """The directory of all of it."""
        found = self.resume or self.disk or self.checkpoint
        assert found is not None  # it is wanted
        return found

    def refuse_with(self, others: dict[str, bool]) -> None:
        """Refuse options that these searches do not have. Raises BadInputError.

        Args:
            others: whether each option was given.
        """
        given = [option for option, is_given in others.items() if is_given]
        if self.is_wanted and given:
            raise BadInputError(
                f"--checkpoint, --disk and --resume cannot be combined with {' or '.join(given)}"
            )

    def with_scenario(self, scenario: Scenario | None) -> Scenario | None:
        """Return the scenario that was asked for. Raises BadInputError if one is needed."""
        if self.is_wanted and scenario is None:
            raise BadInputError(
                "--checkpoint, --disk and --resume need a scenario, such as "
                "--cpus 2 --tasks 3 --longs 2"
            )
        return scenario

    def verdict(
        self, problem: Problem, options: tuple[str, ...], *, with_obligations: bool = False
    ) -> Verdict:
        """Search, and return the verdict.

        Args:
            problem: the design in its scenario.
            options: the switches of the design that are set.
            with_obligations: whether a solver is to discharge what the reductions rest on.

        Raises:
            BadInputError: the checkpoint, the directory or the limits cannot be used.
        """
        from iopermit.scale.check import check_beyond  # imports LLVM
        from iopermit.scale.errors import ScaleError
        from iopermit.scale.plan import EVERY, Plan

        plan = Plan(
            self.directory,
            resumed=self.resume is not None,
            on_disk=self.disk is not None,
            cluster=self.cluster,
            every=EVERY if self.interval is None else seconds(self.interval),
        )
        try:
            verdict = check_beyond(problem, plan)
        except ScaleError as error:
            raise BadInputError(str(error)) from error
        if with_obligations:
            from iopermit.search.obligations import discharged  # imports z3

            verdict = discharged(problem, verdict)
        return replace(verdict, options=options)


def seconds(text: str | None) -> float:
    """Return a time in seconds from text as ``30s``, ``5m``, ``1.5h`` or ``60``; 0 for None.

    Raises:
        BadInputError: it is no time.
    """
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)\s*([smh]?)", text.strip(), re.ASCII)
    value = float(match[1]) * _UNITS[match[2]] if match else math.nan
    if not 0 <= value <= _MOST_SECONDS:
        raise BadInputError(f"--every {text}: write a time, such as 30s, 5m or 1h")
    return value
