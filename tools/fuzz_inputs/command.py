"""Tries random inputs of the command: `python -m tools.fuzz_inputs -n 300`.

Exit status 0: every input ended with a message and a documented status; 1: one did not; 2: bad
usage. What fails is shrunk.
"""

from __future__ import annotations

import argparse
import functools
import os
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from tools.fuzz_designs.judging.outcome import Finding, Outcome
from tools.fuzz_designs.ledger import ROOT, Ledger
from tools.fuzz_designs.pool import outcomes
from tools.fuzz_inputs.attempt import Attempt, fault_of, tried
from tools.fuzz_inputs.code import code_of
from tools.fuzz_inputs.entries import ENTRIES
from tools.fuzz_inputs.warming import warm

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER: Final = ROOT / ".fuzz-inputs"
"""Where the ledgers are, one for each entry, and what failed; git ignores it."""
PORTION: Final = 20
"""Inputs that are noted together: a line of the ledger."""
_COLD: Final = frozenset({"streams"})
"""Entries whose attempts are about the start of the command, too."""


class FaultError(Exception):
    """An attempt that ended as it must not."""

    def __init__(self, kind: str, attempt: Attempt, errors: str) -> None:
        super().__init__(kind)
        self.kind, self.attempt, self.errors = kind, attempt, errors


def judged(index: int, *, entry: str, number: int) -> Outcome:
    """Return what became of one portion of the inputs of a seed."""
    warm(whole=entry not in _COLD)
    outcome, statuses, begun = Outcome(index, entry, "tried"), Counter[int](), time.monotonic()

    @seed(hash((number, index)))
    @settings(
        max_examples=PORTION,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(ENTRIES[entry]())
    def attempt_is_well(attempt: Attempt) -> None:
        ended = tried(attempt)
        if not outcome.findings:
            statuses[ended.status] += 1
        kind = fault_of(attempt, ended)
        if kind:
            # Counting ends here: what follows is shrinking.
            outcome.findings[:] = [_finding(kind, attempt, ended.errors)]
            raise FaultError(kind, attempt, ended.errors)

    try:
        attempt_is_well()
    except FaultError as fault:
        outcome.findings[:] = [_finding(fault.kind, fault.attempt, fault.errors)]
    except Exception as error:  # noqa: BLE001 - what fails only now and then is a finding, too
        outcome.findings.append(Finding("internal", "flaky", f"{type(error).__name__}: {error}"))
    outcome.kinds = [f"{status}: {count}" for status, count in sorted(statuses.items())]
    outcome.states, outcome.seconds = statuses.total(), time.monotonic() - begun
    return outcome


def _finding(kind: str, attempt: Attempt, errors: str) -> Finding:
    return Finding("internal", kind, f"{attempt!r}\n{errors[-2000:]}")


def run(arguments: argparse.Namespace) -> int:
    """Try what is missing of each entry, and say what it all adds up to."""
    failed = False
    wanted = -(-arguments.number // PORTION)
    for entry in arguments.entries or ENTRIES:
        ledger = Ledger.read(FOLDER / f"{entry}.jsonl", arguments.seed, code_of(entry))
        work = functools.partial(judged, entry=entry, number=arguments.seed)
        for outcome in outcomes(work, ledger.missing(wanted), arguments.jobs, arguments.seconds):
            ledger.add(outcome)
            for finding in outcome.findings:
                print(f"{entry}, portion {outcome.index}: {finding.configuration}", flush=True)
                print(finding.text, flush=True)
        counted = [one for index, one in sorted(ledger.outcomes.items()) if index < wanted]
        print(summary(entry, counted), flush=True)
        failed = failed or any(one.findings for one in counted)
        if len(counted) < wanted:
            print(f"{len(counted)} of {wanted} portions; the same command goes on")
    return 1 if failed else 0


def summary(entry: str, counted: Iterable[Outcome]) -> str:
    """Return how many inputs of an entry were tried, with which statuses, and what failed."""
    every = list(counted)
    statuses = Counter[str]()
    for outcome in every:
        for text in outcome.kinds:
            status, _, count = text.partition(": ")
            statuses[status] += int(count)
    findings = Counter(finding.configuration for one in every for finding in one.findings)
    shares = ", ".join(f"{n} with status {status}" for status, n in sorted(statuses.items()))
    seconds = sum(one.seconds for one in every)
    text = f"{entry}: {statuses.total()} inputs in {seconds:.0f} s: {shares}"
    return "\n".join([text, *(f"FAILS: {kind}: {n}" for kind, n in findings.most_common())])


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="fuzz_inputs", description=__doc__)
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help=", ".join(ENTRIES))
    parser.add_argument("-n", "--number", type=int, default=300, help="how many of each entry")
    parser.add_argument("--seed", type=int, help="a fresh one by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each entry")
    arguments = parser.parse_args()
    unknown = set(arguments.entries) - set(ENTRIES)
    if unknown:
        parser.error(f"there is no entry {min(unknown)}; the entries: {', '.join(ENTRIES)}")
    if arguments.seed is None:
        arguments.seed = secrets.randbelow(1 << 32)
    print(f"seed {arguments.seed}", flush=True)
    return run(arguments)
