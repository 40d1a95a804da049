"""Tests of tools.generate_man: the manual page is that of the verbs, and can be shown."""

import subprocess

from tests.support.requirements import require_tool
from tools.generate_man import PAGE, page

from iopermit.cli.parser.examples import EXAMPLES


def test_the_page_is_generated() -> None:
    """docs/iopermit.1 is what the command line gives now (else: `make docs`)."""
    assert PAGE.read_text(encoding="utf-8") == page()


def shown(width: int) -> str:
    """Return the page as `man` shows it; formatting it must give no warning."""
    groff = require_tool("groff")
    ran = subprocess.run(
        [groff, "-man", "-Tascii", "-P-c", "-P-b", "-P-u", "-ww", f"-rLL={width}n", PAGE],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    return ran.stdout


def test_it_can_be_shown_without_warnings() -> None:
    """Groff formats the page without a warning, and no line but a command is too long."""
    for width in (60, 100):
        long = [line for line in shown(width).splitlines() if len(line) > width]
        assert all(line.strip().startswith("iopermit ") for line in long), long


def test_every_verb_has_its_options_and_examples() -> None:
    """The page has a part for each verb, with options in groups and with all examples."""
    words = " ".join(shown(200).split())
    for verb, examples in EXAMPLES.items():
        assert f" iopermit {verb}" in words
        assert all(" ".join(command.split()) in words for command, _ in examples)
    for text in (
        "--kernel TREE Check this kernel source tree's C code.",
        "EXIT STATUS",
        "NO_COLOR",
    ):
        assert text in words
