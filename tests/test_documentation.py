"""Executes the tutorial and the commands of the README, and compares what they print."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import typer
from tests.support.documents import (
    DURATION,
    ROOT,
    TREE,
    DocumentRun,
    blocks,
    commands,
)
from tests.support.kernel.trees import require_tree

from iopermit.cli import ExitCode, main
from iopermit.cli.app import command as parser

if TYPE_CHECKING:
    from pathlib import Path

NEW = ("tutorials", "how-to", "course", "explanation", "reference")
"""Folders of documents whose commands are all executed."""
PAGES = [
    ROOT / "docs/index.md",
    ROOT / "docs/how-the-bitmap-works.md",
    *(page for folder in NEW for page in sorted((ROOT / "docs" / folder).glob("*.md"))),
]
INLINE = re.compile(r"`(iopermit [a-z-][^`]*)`")
IN_BLOCK = re.compile(r"^\$ (iopermit .*)$", re.MULTILINE)
SHELL = re.compile(r"[;|&>]")
"""What ends a command in a line of the shell."""
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]


def test_the_tutorial_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file, edit and command of the tutorial works, in order, with the output shown."""
    monkeypatch.chdir(tmp_path)
    run = DocumentRun(capsys)
    run.play(ROOT / "docs/writing-a-design.md")
    assert run.executed == 6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT / "docs")))
def test_a_page_does_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file, command and piece of Python of a page works, in order, with the output shown."""
    tree = None
    if TREE in page.read_text(encoding="utf-8"):
        tree = tmp_path / "linux"
        tree.symlink_to(require_tree("6.12"))
    for folder in ("docs", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    run = DocumentRun(capsys, tree, exact=False)
    run.play(page)
    shown = [each for block in blocks(page) for each in commands(block["text"])]
    assert run.executed == len(shown)


def test_the_readme_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands and the Python of the README work; those of `make` and examples/ have tests."""
    run = DocumentRun(capsys, tmp_path / "linux", exact=False)
    (tmp_path / "linux").symlink_to(require_tree("6.12"))
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    played = []
    for block in blocks(ROOT / "README.md"):
        if not block["text"].startswith(("$ make ", "$ examples/")):
            run.play_block(block)
            played.append(block["language"])
    assert played == ["console", "python", "text"]


def known_options(words: list[str]) -> set[str]:
    """Return the options of a verb, `iopermit export promela` for instance."""
    root = typer.main.get_command(parser([words[0]]))
    context = root.make_context("iopermit", [], resilient_parsing=True)
    found = root.get_command(context, words[0])  # type: ignore[attr-defined, unused-ignore]  # a group
    assert found is not None, words
    if words[0] == "export" and len(words) > 1:
        found = found.get_command(context, words[1])
        assert found is not None, words
    return {name for each in found.params for name in (*each.opts, *each.secondary_opts)}


def commands_named(document: Path) -> list[list[str]]:
    """Return the words of the commands in sentences and blocks, without `iopermit`."""
    text = document.read_text(encoding="utf-8")
    lines = [*INLINE.findall(text), *IN_BLOCK.findall(text)]
    split = [shlex.split(SHELL.split(line)[0])[1:] for line in lines]
    return [words for words in split if words[0] not in ("VERB", "--install-completion")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_a_command_that_is_named_is_one(document: Path) -> None:
    """A command in a sentence or a block has a verb and options that there are."""
    for words in commands_named(document):
        own = words[: words.index("--")] if "--" in words else words
        options = {word for word in own[1:] if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        if words[0] == "run":
            # What follows the program is the program's.
            continue
        assert options <= {*known_options(words), "--help", "-h"}, words


def test_the_example_is_the_design_of_the_tutorial() -> None:
    """The file in examples/ and the first block of the tutorial are the same text."""
    first = blocks(ROOT / "docs/writing-a-design.md")[0]
    example = ROOT / "examples" / first["file"]
    assert example.read_text(encoding="utf-8") == first["text"]


def test_the_readme_shows_what_make_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """The report under `make demo` in the README is what the checker prints today."""
    demo = next(
        b["text"] for b in blocks(ROOT / "README.md") if b["text"].startswith("$ make demo")
    )
    shown = demo.splitlines()[1:]
    assert shown.pop() == "exit status 1 (violated)"
    assert main(["check", "linux-v2-06"]) == ExitCode.VIOLATED
    printed = capsys.readouterr().out.splitlines()
    assert [DURATION.sub("", line) for line in shown] == [DURATION.sub("", p) for p in printed]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file or directory that exists."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
