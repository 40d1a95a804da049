"""The ledger: one line for each design that was judged, so that portions add up and go on."""

from __future__ import annotations

import ast
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.fuzz_designs.judging.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).resolve().parent.parent.parent
FOLDER: Final = ROOT / ".fuzz-designs"
"""Where the ledger and the designs about which checkers disagree are; git ignores it."""

_JUDGING: Final = ("arch", "cache", "certify", "designs", "engine", "search", "system", "translate")
"""The packages of iopermit that generate and judge; a test sees that judging imports no other."""

JUDGED: Final = ("tools/fuzz_designs", *(f"src/iopermit/{package}" for package in _JUDGING))
"""The folders on which an outcome rests."""


def version(folders: Iterable[str] = JUDGED) -> str:
    """Return a digest of the code that generates and judges: results of other code do not count.

    What a reader alone sees is left out: comments, docstrings, and how lines are broken.
    """
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(ROOT)}\0{_executed(file)}".encode())
    return digest.hexdigest()[:12]


def _executed(file: Path) -> str:
    """Return what Python executes of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_text(each)]
    return ast.dump(tree)


def _is_text(statement: ast.AST) -> bool:
    """Return whether a statement is a text and nothing else, as docstrings are."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@dataclass
class Ledger:
    """What was judged with one seed by the present code, and the lines about everything else."""

    file: Path
    seed: int
    code: str
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, seed: int, code: str) -> Ledger:
        """Read what earlier portions wrote. A line that was cut short does not count."""
        ledger = cls(file, seed, code)
        for line in _lines(file):
            if (line["seed"], line["code"]) == (seed, code):
                outcome = Outcome.from_json(line["outcome"])
                ledger.outcomes[outcome.index] = outcome
        return ledger

    def add(self, outcome: Outcome) -> None:
        """Note an outcome, at once on disk."""
        self.outcomes[outcome.index] = outcome
        line = {"seed": self.seed, "code": self.code, "outcome": outcome.as_json()}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def missing(self, amount: int) -> list[int]:
        """Return which of the first ``amount`` designs are still to be judged."""
        return [index for index in range(amount) if index not in self.outcomes]


def _lines(file: Path) -> Iterable[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def totals(file: Path) -> str:
    """Return how much all portions add up to, for every seed and every version of the code."""
    seeds: Counter[tuple[int, str]] = Counter((each["seed"], each["code"]) for each in _lines(file))
    return "\n".join(
        f"seed {seed}, code {code}: {amount} designs" for (seed, code), amount in seeds.items()
    )


def summary(outcomes: Iterable[Outcome]) -> str:
    """Return what was judged, how often which checker was asked, and what disagrees."""
    every = list(outcomes)
    verdicts = Counter(o.verdict for o in every)
    checks = Counter(check for o in every for check in o.checks)
    findings = Counter(f.key for o in every for f in o.findings)
    shares = ", ".join(f"{name} {n} ({100 * n // len(every)}%)" for name, n in verdicts.items())
    seconds = sum(o.seconds for o in every)
    lines = [
        f"{len(every)} designs in {seconds:.0f} s: {shares}",
        "compared: " + ", ".join(f"{name} {n}" for name, n in checks.most_common()),
    ]
    lines += [f"DISAGREES: {kind} ({name}): {n}" for (kind, name), n in findings.most_common()]
    return "\n".join(lines if findings else [*lines, "no disagreement"])
