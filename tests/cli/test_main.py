"""Tests of iopermit.cli: whatever happens, one clear message and the documented exit status."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, SMALL, run

from iopermit.cli import list_designs
from iopermit.cli.errors import explain
from iopermit.cli.exit_codes import ExitCode, exit_code


def test_exit_codes_are_the_documented_ones() -> None:
    """0 holds, 1 violated, 2 bad input, 3 undetermined, 4 internal error, 5 repaired (replay)."""
    assert [code.name for code in sorted(ExitCode)] == [
        "HOLDS", "VIOLATED", "BAD_INPUT", "UNDETERMINED", "INTERNAL_ERROR", "REPAIRED",
    ]  # fmt: skip
    assert sorted(ExitCode) == [0, 1, 2, 3, 4, 5]
    assert [exit_code(v) for v in ("holds", "violated", "undetermined")] == [0, 1, 3]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints name and version."""
    ran = run(capsys, "--version")
    assert ran.status == 0
    assert re.fullmatch(r"iopermit \d+\.\d+\.\d+\n", ran.out)


def test_the_package_runs_as_a_module() -> None:
    """`python -m iopermit` does what the script does, with its exit status and its name."""
    module = [sys.executable, "-m", "iopermit"]
    command = [*module, "check", "no-such-design"]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (ExitCode.BAD_INPUT, "")
    assert "no-such-design" in ran.stderr
    shown = subprocess.run([*module, "--help"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("Usage: iopermit ")


@pytest.mark.parametrize("verb", [(), ("check",), ("list",), ("replay",), ("export", "promela")])
def test_every_verb_has_help(capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]) -> None:
    """--help of every verb goes to standard output, in plain ASCII."""
    ran = run(capsys, *verb, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Usage: iopermit")
    assert ran.out.isascii()


def test_without_arguments_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a verb the usage is shown, and the status is that of wrong usage."""
    ran = run(capsys)
    assert ran.status == ExitCode.BAD_INPUT
    assert ran.err.startswith("Usage: iopermit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("frob",), "No such command 'frob'"),
        (("check",), "give a DESIGN (see `iopermit list`), or --kernel TREE"),
        (("check", "linux-5.5", "--frob"), "No such option: --frob"),
        (("check", "linux-5.5", "--cpus", "many"), "Invalid value for '--cpus'"),
        (("check", "linux-5.5", "--threads", "0"), "Invalid value for '--threads'"),
        (("check", "linux-5.5x"), "there is no design 'linux-5.5x'; did you mean linux-5.5"),
        (("check", "linux-5.5", "--cpus", "9"), "the scenario needs 1 to 4 CPUs, not 9"),
        (
            ("check", "linux-5.5", "--events", "frok"),
            "there is no event 'frok'; did you mean fork?",
        ),
        (("check", "linux-5.5", "--max-memory", "lots"), "'lots' is no amount of memory"),
    ],
)
def test_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Wrong usage gives one message on standard error, nothing on standard output, status 2."""
    ran = run(capsys, *arguments)
    assert (ran.status, ran.out) == (ExitCode.BAD_INPUT, "")
    assert ran.err.startswith(f"iopermit: error: {message}")
    assert len(ran.err.splitlines()) <= 2


def test_internal_error_is_one_line_and_a_hint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fault of iopermit is told in one line, with the file to report it with, status 4."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IOPERMIT_TRACEBACK", raising=False)
    monkeypatch.setattr(list_designs, "_text", lambda *_: 1 / 0)
    ran = run(capsys, "list")
    first, *hint = ran.err.splitlines()
    assert ran.status == ExitCode.INTERNAL_ERROR
    assert first == "iopermit: internal error: ZeroDivisionError: division by zero [internal-error]"
    assert [file.name for file in tmp_path.iterdir()] == [hint[2].strip()]
    assert "Traceback" not in ran.err


def test_traceback_is_shown_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With IOPERMIT_TRACEBACK=1 the traceback of an internal error follows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOPERMIT_TRACEBACK", "1")
    monkeypatch.setattr(list_designs, "_text", lambda *_: 1 / 0)
    ran = run(capsys, "list")
    assert "Traceback (most recent call last):" in ran.err


def test_interrupt_is_undetermined(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before there is a result gives one line and status 3, no traceback."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(list_designs, "_text", interrupt)
    ran = run(capsys, "list")
    assert ran.status == ExitCode.UNDETERMINED
    assert ran.err == "iopermit: interrupted before there was a result [interrupted]\n"


def test_lack_of_memory_is_undetermined(capsys: pytest.CaptureFixture[str]) -> None:
    """Running out of memory says what to do, with the status of a reached limit."""
    assert explain(MemoryError(), []) == ExitCode.UNDETERMINED
    assert "--max-memory" in capsys.readouterr().err


def test_heavy_modules_are_not_imported_at_the_start() -> None:
    """The command starts without NumPy, LLVM, matplotlib and rich's console."""
    heavy = {"numpy", "llvmlite", "matplotlib", "rich.console", "iopermit.search.check"}
    code = "import sys; from iopermit.cli.app import command; command([]); print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = set(process.stdout.decode().split())
    assert "iopermit.cli.check" in modules
    assert modules & heavy == set()


def test_a_verb_is_imported_alone() -> None:
    """Of the verbs only the one that is asked for is imported."""
    code = (
        "import sys; from iopermit.cli.app import command; command(['list']); print(*sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    modules = set(process.stdout.decode().split())
    assert "iopermit.cli.list_designs" in modules
    assert not modules & {"iopermit.cli.check", "iopermit.cli.run", "iopermit.cli.compare"}


def test_broken_pipe_within_a_verb_is_no_result(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only what closes standard output is no error: any other broken pipe is a fault, and not 0."""
    monkeypatch.chdir(tmp_path)
    for error in (BrokenPipeError(errno.EPIPE, "of a worker"), EOFError(), SystemExit(0)):

        def fail(_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(list_designs, "_text", fail)
        assert run(capsys, "list").status == ExitCode.INTERNAL_ERROR


LONG = "x" * 300
DIGITS = "9" * 400


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", LONG),
        ("check", f"{LONG}.py"),
        ("check", f"{LONG}:Class"),
        ("check", f"/{LONG}/design.py"),
        ("check", "--kernel", LONG),
        ("replay", LONG),
        ("certify", LONG),
        ("export", "promela", "linux-5.4", "-o", LONG),
        ("cost", "linux-5.4", "--plot", LONG),
        ("cost", "--kernel", LONG),
        ("run", LONG),
        ("run", f"./{LONG}"),
        *(("run", option, LONG, "/bin/true") for option in ("--root", "--io-log", "--json")),
        *(("run", option, LONG, "/bin/true") for option in ("--serial", "--export", "--design")),
        *(("check", "linux-5.4", option, LONG) for option in ("--save", "--junit", "--sarif")),
        ("check", "linux-5.4", "--cpus", "1", "--certificate", LONG),
    ],
    ids=lambda words: " ".join(words).replace(LONG, "LONG"),
)
def test_name_that_is_too_long(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """A name that no file can have is bad input wherever it stands, and the message has it."""
    ran = run(capsys, *arguments)
    assert (ran.status, ran.out) == (ExitCode.BAD_INPUT, "")
    assert LONG in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        *(("check", "linux-5.4", option, DIGITS) for option in ("--cpus", "--tasks", "--longs")),
        ("check", "linux-5.4", "--threads", DIGITS),
        ("check", "linux-5.4", "--max-memory", DIGITS),
        ("check", "linux-5.4", "--max-memory", f"{DIGITS}T"),
        ("check", "linux-5.4", "--max-states", "9" * 5000),
        ("compare", "linux-5.4", "--threads", DIGITS),
        ("certify", "no", "--processes", DIGITS),
        *(("run", option, DIGITS, "/bin/true") for option in ("--cpus", "--memory", "--max-tasks")),
        *(("run", "--timeout", value, "/bin/true") for value in ("nan", "inf", "1e300", "-1")),
        *(("check", "linux-5.4", "--timeout", value) for value in ("nan", "inf", "1e300", "-1")),
        *(("compare", "linux-5.4", "--timeout", value) for value in ("nan", "inf", "1e300", "-1")),
        *(("certify", "no", "--timeout", value) for value in ("nan", "inf", "1e300", "-1")),
    ],
    ids=lambda words: " ".join(words).replace(DIGITS, "DIGITS")[:60],
)
def test_number_that_makes_no_sense(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Numbers of hundreds of digits, times that never come and those that are none are refused."""
    ran = run(capsys, *arguments)
    assert (ran.status, ran.out) == (ExitCode.BAD_INPUT, "")
    assert ran.err.startswith("iopermit: error: ")


GONE = "import os, sys; os.rmdir(os.getcwd()); from iopermit.cli import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("list",), 0),
        (("check", CRASHING, *SMALL, "-q"), 1),
        (("check", CRASHING, *SMALL, "-q", "--sarif", "/dev/null"), 1),
        (("check", CRASHING, *SMALL, "-q", "--save", "file"), 2),
        (("check", "file.py"), 2),
        (("check", "--kernel", "tree"), 2),
        (("replay", "file"), 2),
        (("certify", "file"), 2),
        (("compare", CRASHING, *SMALL, "-q", "--events", "plain"), 1),
        (("cost", "linux-5.4"), 0),
        (("export", "promela", "linux-5.4", *SMALL), 0),
        (("run", "/bin/true"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_removed_working_directory(tmp_path: Path, arguments: tuple[str, ...], status: int) -> None:
    """What needs no working directory works without one; what does says that it is not there."""
    command = [sys.executable, "-c", GONE, *arguments]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == status, ran.stderr
    assert "internal error" not in ran.stderr
    assert bool(ran.stderr) == (status == 2)
