"""Runs the benchmarks: `python -m benchmarks`; `--help` tells the options.

Prints ratios from one run on one machine. There is no pass or fail: only a disagreement with
Spin about a model, with Unicorn about a result, or a program that is missing, ends with an error.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import measurements, programs
from benchmarks.plan import FULL, QUICK, TINY, Plan
from benchmarks.plot import plot
from benchmarks.tables import SECTIONS
from benchmarks.timing import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measurements import Row

_SCHEMA = "iopermit/performance/1"
_BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    needed = ("gcc",) if options.part == "programs" else ("spin", "gcc")
    missing = [tool for tool in needed if shutil.which(tool) is None]
    if missing:
        names = " and ".join(missing)
        print(f"the benchmarks need {names}; on Debian: apt-get install spin gcc", file=sys.stderr)
        return _BAD_USAGE
    plan = TINY if options.tiny else QUICK if options.quick else FULL
    if options.repeats is not None:
        plan = replace(
            plan,
            repeats=options.repeats,
            programs=replace(plan.programs, repeats=options.repeats),
        )
    document: dict[str, Any] = {"schema": _SCHEMA, "machine": machine()}
    print(", ".join(f"{name} {value}" for name, value in document["machine"].items()))
    for name, rows in _measure(plan, options.part):
        title, show = SECTIONS[name]
        document[name] = rows
        print(f"\n## {title}\n\n{show(rows)}", end="", flush=True)
        if options.json is not None:  # after every section: an interrupted run loses nothing
            options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\nload average at the end: {machine()['load_average']}")
    if options.plot is not None and "growth" in document:
        plot(document["growth"], options.plot)
    return 0


def _measure(plan: Plan, part: str) -> Iterator[tuple[str, list[Row]]]:
    if part in ("all", "search"):
        yield from _measure_search(plan)
    if part in ("all", "programs"):
        yield from programs.measure(plan.programs)


def _measure_search(plan: Plan) -> Iterator[tuple[str, list[Row]]]:
    speed = [measurements.against_spin(each, plan.repeats) for each in plan.against_spin]
    yield "speed", speed
    yield (
        "to_verdict",
        [
            row
            for each, against in zip(plan.against_spin, speed, strict=True)
            for row in measurements.to_verdict(each, against, plan.repeats)
        ],
    )
    yield (
        "start",
        [measurements.start_to_verdict(design, plan.repeats) for design in plan.start_to_verdict],
    )
    yield (
        "threads",
        [
            measurements.threads(each, reduced=reduced, repeats=plan.repeats)
            for each, reduced in plan.threads
        ],
    )
    yield "growth", list(measurements.growth(plan.growth, plan.timeout, plan.memory))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="smaller models, each measured once")
    size.add_argument("--tiny", action="store_true", help="only try whether the command works")
    parser.add_argument(
        "--part",
        choices=("all", "search", "programs"),
        default="all",
        help="measure the search of designs, or the running of programs, or both",
    )
    parser.add_argument(
        "--repeats", type=_positive, metavar="N", help="measure N times, take the median"
    )
    parser.add_argument(
        "--json", type=_new_file, metavar="FILE", help="also write all figures as JSON"
    )
    parser.add_argument(
        "--plot", type=_new_file, metavar="FILE", help="also draw the growth as SVG"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        message = f"{text!r} is not a number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _new_file(text: str) -> Path:
    """Complain about a file that cannot be written before the measurements, not after them."""
    try:
        Path(text).touch()
    except OSError as error:
        message = f"cannot write {text}: {error.strerror}"
        raise argparse.ArgumentTypeError(message) from error
    return Path(text)


if __name__ == "__main__":
    sys.exit(main())
