"""Writes the report of every violated cell of the matrix, for the site: a page of HTML each.

    python -m tools.site.reports [DIRECTORY]    by default .site-reports; a minute or two

Reports that were made from the same code and the same matrix are kept.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.generate_docs import EVENT_SETS
from tools.site.matrix import DATA, reports

from iopermit.designs import designs
from iopermit.report.html.rendering import verdict_html
from iopermit.report.html.verdict_page import verdict_page
from iopermit.search.check import check
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from tools.site.matrix import Report

ROOT: Final = Path(__file__).resolve().parents[2]
STAMP: Final = "made-from"


def made_from() -> str:
    """Return the digest of what reports are made from: the code, and the matrix."""
    digest = hashlib.sha256(DATA.read_bytes())
    for file in sorted((ROOT / "src").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def report_html(report: Report) -> str:
    """Search a cell of the matrix once more, and return the page about what is found.

    Raises:
        ValueError: what is found is not what the matrix has.
    """
    design, *options = report.subject.split(" --option ")
    loaded = with_options(designs()[design], dict.fromkeys(options, True))
    scenario = Scenario(*report.rung.bounds, EVENT_SETS[report.events])
    verdict = check(loaded, scenario, options=tuple(options))
    if verdict.violation is None or verdict.violation.message != report.rung.message:
        raise ValueError(f"{report.file}: not what docs/data/matrix.json has; run `make docs`")
    return verdict_html(verdict_page(verdict))


def main(directory: Path = ROOT / ".site-reports") -> int:
    """Write what is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    stamp, digest = directory / STAMP, made_from()
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != digest:
        for old in directory.glob("*.html"):
            old.unlink()
        stamp.write_text(digest, encoding="utf-8")
    missing = [report for report in reports() if not (directory / report.file).is_file()]
    for number, report in enumerate(missing, 1):
        print(f"report {number} of {len(missing)}: {report.file}", file=sys.stderr)
        (directory / report.file).write_text(report_html(report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
