"""Executes the tutorial and the commands of the README, and compares what they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from iopermit.cli import ExitCode, main

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"(?:<!-- (?P<what>file|edit): (?P<file>\S+) -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)```\n",
    re.DOTALL,
)
DURATION = re.compile(r"\d+\.\d s\b")


def blocks(document: Path) -> list[re.Match[str]]:
    """Return the code blocks of a document."""
    return list(BLOCK.finditer(document.read_text(encoding="utf-8")))


def edited(text: str, diff: str) -> str:
    """Apply a diff without line numbers; its context must stand in the text exactly once."""
    before = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in " +")
    assert text.count(before) == 1
    return text.replace(before, after)


def wanted_status(output: list[str]) -> ExitCode:
    """Return the exit status that belongs to what a document shows as output."""
    text = "\n".join(output)
    if "BUG: " in text:
        return ExitCode.VIOLATED
    return ExitCode.BAD_INPUT if " error: " in text else ExitCode.HOLDS


def run_block(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the command of a console block, and find the lines shown in what it prints."""
    command, *shown = block.splitlines()
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "iopermit"
    status = main(arguments)
    captured = capsys.readouterr()
    printed = [DURATION.sub("", line) for line in (captured.out + captured.err).splitlines()]
    missing = [line for line in shown if DURATION.sub("", line) not in printed]
    assert not missing, printed
    assert status == wanted_status(shown)


def test_the_tutorial_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file, edit and command of the tutorial works, in order, with the output shown."""
    monkeypatch.chdir(tmp_path)
    commands = 0
    for block in blocks(ROOT / "docs/writing-a-design.md"):
        text = block["text"]
        if block["what"] == "file":
            Path(block["file"]).write_text(text, encoding="utf-8")
        elif block["what"] == "edit":
            file = Path(block["file"])
            file.write_text(edited(file.read_text(encoding="utf-8"), text), encoding="utf-8")
        else:
            run_block(text, capsys)
            commands += 1
    assert commands == 6


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


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link of a document names a file or directory that exists."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
