"""Tests of tools.generate_codes: the page about codes is what the table of codes gives."""

from tools.generate_codes import PAGE, page

from iopermit.report.findings.error_codes import CODES


def test_the_page_is_generated() -> None:
    """docs/codes.md is what the table gives now (else: `make docs`)."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_code_is_a_heading() -> None:
    """The page has a heading for each code, which links to it name."""
    headings = [line.removeprefix("## ") for line in page().splitlines() if line.startswith("## ")]
    assert headings == [code.code for code in CODES]
