"""Runs the benchmarks: `python -m benchmarks`; `--help` tells the options.

Prints ratios from one run on one machine. There is no pass or fail: only a disagreement with
Spin about a model, with Unicorn about a result, or a program that is missing, ends with an error.
With `--against REV` this tree is compared with another revision of iopermit instead.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import against, measurements, programs, revisions
from benchmarks.plan import FULL, QUICK, TINY, Plan
from benchmarks.plot import plot
from benchmarks.tables import SECTIONS
from benchmarks.timing import machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measurements import Row

_SCHEMA = "iopermit/performance/1"
_SCHEMA_AGAINST = "iopermit/performance-against/1"
_BAD_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _options(arguments)
    if options.against is not None:
        return _compare(options)
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
        _write(options.json, document)
    print(f"\nload average at the end: {machine()['load_average']}")
    if options.plot is not None and "growth" in document:
        plot(document["growth"], options.plot)
    return 0


def _compare(options: argparse.Namespace) -> int:
    """Measure this tree and another revision in turn."""
    try:
        commit = revisions.commit_of(options.against)
    except revisions.UnknownRevisionError as error:
        print(f"the benchmarks cannot compare: {error}", file=sys.stderr)
        return _BAD_USAGE
    plan = against.TINY if options.tiny else against.QUICK if options.quick else against.FULL
    small = options.tiny or options.quick
    trees = () if options.tree is None else against.of_tree(options.tree, small=small)
    works = [work for work in (*plan, *trees) if options.part in ("all", work.part)]
    repeats = options.repeats or (1 if options.tiny else 3 if options.quick else 9)
    document: dict[str, Any] = {"schema": _SCHEMA_AGAINST, "machine": machine(), "against": commit}
    print(f"this tree against {options.against} ({commit[:12]}); above 1: this tree is slower\n")
    rows: list[Row] = []
    with revisions.here_and_at(commit) as (here, there):
        for row in against.compare(works, here, there, repeats):
            rows.append(row)
            print(f"{row['part']}: {row['work']}", file=sys.stderr)
            _write(options.json, document | {"pairs": rows})
    print(against.comparison_table(rows), end="")
    return 0


def _write(file: Path | None, document: dict[str, Any]) -> None:
    """Write what there is so far: an interrupted run loses nothing."""
    if file is not None:
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


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


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.against is None and options.tree is not None:
        parser.error("--tree needs --against REV")
    if options.part == "trees" and options.tree is None:
        parser.error("--part trees needs --tree DIR, and --against REV")
    if options.against is None and options.part in ("compile", "start-up"):
        parser.error(f"--part {options.part} needs --against REV")
    if options.against is not None and options.part == "programs":
        parser.error("--against compares search, compile and start-up, not programs")
    if options.against is not None and options.plot is not None:
        parser.error("--against draws nothing: leave --plot out")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="smaller models, each measured once")
    size.add_argument("--tiny", action="store_true", help="only try whether the command works")
    parser.add_argument(
        "--part",
        choices=("all", "search", "programs", "compile", "start-up", "trees"),
        default="all",
        help="measure the search of designs, the running of programs, or all; with --against "
        "search, compile, start-up, trees, or all",
    )
    parser.add_argument(
        "--tree", type=_folder, metavar="DIR", help="a kernel tree, whose search is compared, too"
    )
    parser.add_argument(
        "--against", metavar="REV", help="compare this tree with another revision, pair by pair"
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


def _folder(text: str) -> Path:
    """Complain about a tree that is none before anything is measured."""
    path = Path(text)
    if not (path / "Makefile").is_file():
        message = f"{text!r} is no kernel tree: it has no Makefile"
        raise argparse.ArgumentTypeError(message)
    return path


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
