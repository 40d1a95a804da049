"""Executes what documents show: files, edits, commands with their output, and Python."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests.support.requirements import require_tool

from iopermit.cli import ExitCode, main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
DURATION: Final = re.compile(r"\d+\.\d s\b")
TREE: Final = "~/linux"
"""How documents name a kernel tree."""
_CHECKED: Final[dict[str, tuple[str, int]]] = {}
"""What checks of trees printed, and their status, by the command in the document."""
_BLOCK: Final = re.compile(
    r"(?:<!-- (?P<what>file|edit): (?P<file>\S+) -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)```\n",
    re.DOTALL,
)


class Capture(Protocol):
    """What pytest captures of Python's own streams."""

    def readouterr(self) -> Any:  # noqa: ANN401 - a class that pytest does not name
        """Return what was printed since the last call."""


def blocks(document: Path) -> list[re.Match[str]]:
    """Return the code blocks of a document."""
    return list(_BLOCK.finditer(document.read_text(encoding="utf-8")))


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


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of a console block, each with the output that is shown."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command, shown


@dataclass
class DocumentRun:
    """The blocks of one document, executed one after the other in the working directory.

    Attributes:
        capture: gives what was printed.
        tree: what `~/linux` stands for, if the document has it.
        exact: whether a command that shows no status has the one that its output tells.
    """

    capture: Capture
    tree: Path | None = None
    exact: bool = True
    executed: int = 0
    _status: int = 0
    _printed: str = ""
    _names: dict[str, Any] = field(default_factory=dict)

    def play(self, document: Path) -> None:
        """Execute every block of a document."""
        for block in blocks(document):
            self.play_block(block)

    def play_block(self, block: re.Match[str]) -> None:
        """Execute one block."""
        text, file = block["text"], Path(block["file"] or "")
        if block["what"] == "file":
            file.write_text(text, encoding="utf-8")
        elif block["what"] == "edit":
            file.write_text(edited(file.read_text(encoding="utf-8"), text), encoding="utf-8")
        elif block["language"] == "console":
            for command, shown in commands(text):
                self._command(command, shown)
        elif block["language"] == "python":
            self._python(text)
        elif block["language"] == "text":
            assert self._printed == text

    def _python(self, text: str) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(text, self._names)  # noqa: S102 - the document's own
        self._printed = printed.getvalue()

    def _command(self, command: str, shown: list[str]) -> None:
        self.executed += 1
        if command == "echo $?":
            assert shown == [str(int(self._status))]
            return
        program, *arguments = shlex.split(command)
        if TREE not in arguments:
            lines = self._run(program, arguments).splitlines()
        else:
            # A check of a tree takes its time: those that pages have in common run once.
            if command not in _CHECKED:
                arguments = [str(self.tree) if each == TREE else each for each in arguments]
                _CHECKED[command] = self._run(program, arguments), self._status
            printed, self._status = _CHECKED[command]
            lines = printed.splitlines()
        told = [DURATION.sub("", line) for line in lines]
        missing = [line for line in shown if DURATION.sub("", line) not in told]
        assert not missing, "\n".join(lines)
        if self.exact:
            assert self._status == wanted_status(shown)
        assert self._status not in (ExitCode.BAD_INPUT, ExitCode.INTERNAL_ERROR) or self.exact

    def _run(self, program: str, arguments: list[str]) -> str:
        """Run a command, and return what it printed."""
        if program == "iopermit" and arguments[0] != "run":
            self._status = main(arguments)
            captured = self.capture.readouterr()
            return str(captured.out + captured.err)
        if program != "iopermit":
            require_tool(program)
        # The emulator's process writes to descriptors of its own.
        command = [sys.executable, "-m"] if program == "iopermit" else []
        done = subprocess.run(
            [*command, program, *arguments], capture_output=True, text=True, check=False
        )
        self._status = done.returncode
        return done.stdout + done.stderr
