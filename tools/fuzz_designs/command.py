"""Judges random designs: `python -m tools.fuzz_designs -n 150`.

Exit status 0: all checkers agree about every design judged so far; 1: they do not, or one ended
with a traceback; 2: bad usage.
"""

from __future__ import annotations

import argparse
import functools
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_designs.judging.crosschecks import CHECKS
from tools.fuzz_designs.judging.finding import describe, smaller, write
from tools.fuzz_designs.judging.judge import Judge
from tools.fuzz_designs.ledger import FOLDER, Ledger, summary, totals, version
from tools.fuzz_designs.pool import outcomes

if TYPE_CHECKING:
    from tools.fuzz_designs.generation.case import Case
    from tools.fuzz_designs.judging.outcome import Finding, Outcome

_SLOW_EVERY: Final = 10
"""Spin and z3 take seconds for each design."""


def judged(index: int, *, seed: int, slow_every: int) -> Outcome:
    """Return what all checkers say about one design of a seed."""
    names = [check.name for check in CHECKS if check.slow]
    slow = [
        name
        for place, name in enumerate(names)
        if slow_every > 0 and index % slow_every == place * slow_every // len(names)
    ]
    return Judge(generate(seed, index), index, slow).judge()


def run(arguments: argparse.Namespace) -> int:
    """Judge what is missing, shrink what is new, and say what it all adds up to."""
    ledger = Ledger.read(FOLDER / "ledger.jsonl", arguments.seed, version())
    missing = ledger.missing(arguments.number)
    work = functools.partial(judged, seed=arguments.seed, slow_every=arguments.slow_every)
    shown: set[tuple[str, str]] = set()
    for outcome in outcomes(work, missing, arguments.jobs, arguments.seconds):
        ledger.add(outcome)
        for finding in outcome.findings:
            print(f"design {outcome.index}: {finding.kind} ({finding.configuration})", flush=True)
            if finding.key not in shown:
                shown.add(finding.key)
                report(arguments, outcome, finding)
    counted = [o for i, o in sorted(ledger.outcomes.items()) if i < arguments.number]
    print(summary(counted))
    print(totals(ledger.file))
    if len(counted) < arguments.number:
        print(f"{len(counted)} of {arguments.number} judged; the same command goes on")
    return 1 if any(o.findings for o in counted) else 0


def report(arguments: argparse.Namespace, outcome: Outcome, finding: Finding) -> None:
    """Write a design down about which checkers disagree, as it is and shrunk."""
    case = searched(arguments.seed, outcome)
    file, index = Path(arguments.findings), outcome.index
    label = f"seed {arguments.seed}, design {index}"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{arguments.seed}-{index}.py").write_text(case.source, encoding="utf-8")
    if arguments.shrink > 0:
        case, finding = smaller(case, finding, index, arguments.shrink)
    write(file, describe(case, finding, label))
    print(f"  {finding.text.strip().splitlines()[-1][:200] if finding.text else ''}\n  see {file}")


def searched(seed: int, outcome: Outcome) -> Case:
    """Return the case of an outcome, in the scenario that was small enough."""
    judge = Judge(generate(seed, outcome.index), outcome.index)
    judge.reduce()
    return judge.case


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="fuzz_designs", description=__doc__)
    parser.add_argument("-n", "--number", type=int, default=150, help="how many designs")
    parser.add_argument("--seed", type=int, help="a fresh one by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="of this portion")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for each finding")
    parser.add_argument("--slow-every", type=int, default=_SLOW_EVERY, help="0: never")
    parser.add_argument("--findings", default=str(FOLDER / "findings.md"))
    parser.add_argument("--show", type=int, help="only print the design of this number")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = secrets.randbelow(1 << 32)
    if arguments.show is not None:
        case = generate(arguments.seed, arguments.show)
        print(f"{case.source}\n# {case.command}; seed {arguments.seed}")
        return 0
    print(f"seed {arguments.seed}", flush=True)
    return run(arguments)
