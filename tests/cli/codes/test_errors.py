"""Every message that ends a command has a code, which `iopermit explain` knows."""

from __future__ import annotations

import ast
import errno
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.cli.command import run

from iopermit.cli.errors import BadInputError, VerbError, explain, with_code
from iopermit.designs.trial import ImportTimeoutError
from iopermit.engine.errors import MissingExtraError
from iopermit.kernel.errors import BuildError, KernelTreeError, PatchError
from iopermit.report.findings.error_codes import CODES, ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE: Final = Path(__file__).parents[3] / "src/iopermit"
STATUS: Final = {each.code: each.status for each in ERRORS}
RAISED: Final = (
    (BadInputError("no"), "bad-usage"),
    (BadInputError("no", "bad-file"), "bad-file"),
    (KernelTreeError("no"), "bad-tree"),
    (PatchError("no\n  line 2"), "bad-patch"),
    (BuildError("no"), "failed-build"),
    (MissingExtraError("run", "unicorn"), "missing-extra"),
    (MemoryError(), "limit-reached"),
    (ImportTimeoutError("no end"), "limit-reached"),
    (OSError(errno.EMFILE, "Too many open files"), "limit-reached"),
    (PermissionError(errno.EACCES, "Permission denied", "a.py"), "system-refused"),
    (KeyboardInterrupt(), "interrupted"),
)


def used_codes() -> Iterator[str]:
    """Yield the codes that the code of the command, and of kernel trees, writes out."""
    files = [*(CODE / "cli").rglob("*.py"), CODE / "kernel/errors.py"]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "BadInputError", "_complain", "with_code"
            ):  # fmt: skip
                yield from (
                    each.value
                    for each in node.args[1:]
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )


@pytest.mark.parametrize(("error", "code"), RAISED, ids=lambda value: str(value)[:20])
def test_the_first_line_ends_with_the_code(
    error: BaseException, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error is printed with its code behind the first line, and has the status of the code."""
    ended = VerbError()
    ended.__cause__ = error
    status = explain(ended, [])
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith(f" [{code}]")
    assert status == STATUS[code]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "--nope"], "bad-usage"),
        (["check", "linux-9"], "unknown-design"),
        (["check", "--kernel", "/dev"], "bad-tree"),
        (["replay", "/none"], "bad-file"),
        (["certify", "/none"], "bad-file"),
        (["run", "/none"], "bad-program"),
        (["check", "linux-v2-06", "--save", "/none/x"], "cannot-write"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_names_the_class_of_its_error(
    arguments: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong options, designs, trees, files and programs are told apart by their codes."""
    ran = run(capsys, *arguments)
    assert ran.status == STATUS[code]
    assert ran.err.splitlines()[0].endswith(f" [{code}]")


def test_a_design_that_is_refused_has_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code stands behind the message, before the line of the design and the caret."""
    file = tmp_path / "mine.py"
    file.write_text("x = (\n")
    ran = run(capsys, "check", file)
    first, *rest = ran.err.splitlines()
    assert first.startswith(f"{file}:1:")
    assert first.endswith(" [bad-design]")
    assert rest


def test_every_code_that_is_used_is_explained() -> None:
    """No code is printed that `iopermit explain` does not know, and no two are the same."""
    codes = [each.code for each in CODES]
    used = set(used_codes()) | {each.code for each in (KernelTreeError, PatchError, BuildError)}
    assert len(codes) == len(set(codes))
    assert {"bad-file", "cannot-write", "internal-error"} <= used
    assert used <= set(codes)


def test_the_lines_below_stay_as_they_are() -> None:
    """Only the first line gets the code."""
    assert with_code("a\n  b\n", "c") == "a [c]\n  b\n"
