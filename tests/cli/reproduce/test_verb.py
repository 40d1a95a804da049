"""Tests of `iopermit reproduce`: bad input, and what is left when it is ended."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from tests.support.cli.command import run, start
from tests.support.machine.real_linux import kernel
from tests.support.reproduce.emulators import emulator
from tests.support.reproduce.images import PACKERS, bz_image
from tests.support.requirements import require_tool

from iopermit.cli import ExitCode, main

LEAK = ("linux-6.16", "--events", "ioperm,preempt", "--cpus", "1", "--tasks", "2", "--longs", "1")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the preemption leak."""
    file = tmp_path_factory.mktemp("saved") / "leak.json"
    assert main(["check", *LEAK, "-q", "--save", str(file)]) == ExitCode.VIOLATED
    return file


def test_a_file_without_a_schedule_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file that is no saved verdict is named, with the way to get one."""
    file = tmp_path / "x.json"
    file.write_text("{}")
    ran = run(capsys, "reproduce", file, "--image", "/boot/vmlinuz")
    assert ran.status == ExitCode.BAD_INPUT
    assert str(file) in ran.err
    assert "--save FILE" in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give one of --image VMLINUZ and --kernel TREE"),
        (("--image", "x", "--kernel", "y"), "give one of --image VMLINUZ and --kernel TREE"),
        (("--image", "x", "--patch", "y"), "--patch needs the tree"),
        (("--image", "x", "--control-patch", "y"), "--control-patch needs --kernel TREE"),
        (
            ("--kernel", "x", "--control-patch", "y", "--control-image", "z"),
            "give one of --control-patch FILE and --control-image VMLINUZ",
        ),
        (
            ("--image", "x", "--control-image", "y", "--no-controls"),
            "--no-controls excludes --control-patch and --control-image",
        ),
        (("--image", "x", "--free", "9", "--runs", "2"), "--free takes no --runs"),
        (("--image", "x", "--free", "9", "--no-controls"), "--free takes no --runs"),
        (("--image", "x", "--free", "0"), "iopermit reproduce --help"),
        (("--image", "x", "--runs", "0"), "iopermit reproduce --help"),
        (("--image", "x", "--timeout", "0"), "iopermit reproduce --help"),
        (("--kernel", "/missing"), "no such directory: /missing"),
        (("--image", "x", "--violation", "2"), "leak.json has one violation"),
        (("--image", "x", "--violation", "0"), "iopermit reproduce --help"),
    ],
)
def test_wrong_usage_is_refused(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    """One kernel has to be named, which is there, and numbers have their bounds."""
    require_tool("qemu-system-x86_64")
    ran = run(capsys, "reproduce", saved, *options)
    assert ran.status == ExitCode.BAD_INPUT
    assert message in ran.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"no image", "is no bzImage of x86; give the file that a boot loader loads"),
        (bz_image(PACKERS["xz"](b"\x7fELF"), 4), "vmlinuz"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused(
    content: bytes | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A missing file, one that is no image and one without types get one message each."""
    emulator(tmp_path, "exit 0", monkeypatch)
    image = tmp_path / "vmlinuz"
    if content is not None:
        image.write_bytes(content)
    ran = run(capsys, "reproduce", saved, "--image", image)
    assert ran.status == ExitCode.BAD_INPUT
    assert ran.err.count("\n") == 1
    assert message in ran.err
    assert str(image) in ran.err


def test_a_missing_emulator_is_named(
    capsys: pytest.CaptureFixture[str],
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without QEMU the message says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run(capsys, "reproduce", saved, "--image", "x")
    assert ran.status == ExitCode.BAD_INPUT
    assert "apt-get install qemu-system-x86" in ran.err


def test_a_fault_that_cannot_be_judged_is_undetermined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Garbage boots nothing: why is told, and the status is 3."""
    file = tmp_path / "garbage.json"
    bounds = ("--events", "ioperm,fork-fails,exit", "--cpus", "1", "--tasks", "2", "--longs", "1")
    ran = run(capsys, "check", "linux-5.5", *bounds, "-q", "--save", file)
    assert ran.status == ExitCode.VIOLATED
    ran = run(capsys, "reproduce", file, "--image", "x", "--json")
    assert ran.status == ExitCode.UNDETERMINED
    found = json.loads(ran.out)
    assert (found["outcome"], found["kernel"]) == ("undetermined", None)
    assert "cannot see garbage" in found["reason"]
    page = tmp_path / "page.html"
    ran = run(capsys, "reproduce", file, "--image", "x", "--quiet", "--html", page)
    assert "UNDETERMINED on a booted kernel" in page.read_text(encoding="utf-8")
    assert ran.out.count("\n") == 1
    assert ran.out.startswith("UNDETERMINED: ")


def test_one_of_several_violations_is_chosen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Of those that `check --all` saved, the one with the number is what is to be forced."""
    file = tmp_path / "all.json"
    bounds = ("--events", "ioperm,fork-fails,exit", "--cpus", "1", "--tasks", "2", "--longs", "1")
    ran = run(capsys, "check", "linux-5.5", *bounds, "--all", "-q", "--save", file)
    assert ran.status == ExitCode.VIOLATED
    saved = json.loads(file.read_text())
    numbers = {each["violation"]["kind"]: n for n, each in enumerate((saved, *saved["also"]), 1)}
    assert numbers.keys() == {"garbage", "loss"}
    command = ("reproduce", file, "--violation", numbers["garbage"], "--image", tmp_path / "none")
    ran = run(capsys, *command, "--json")
    assert ran.status == ExitCode.UNDETERMINED
    assert json.loads(ran.out)["verdict"]["violation"]["kind"] == "garbage"
    assert json.loads(ran.out)["verdict"]["also"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_it_ends_the_machine(
    number: signal.Signals, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended by a signal, it says so if it can, and leaves neither a process nor a file."""
    pid_file, files = tmp_path / "pid", tmp_path / "files"
    files.mkdir()
    script = f'case "$1" in --version) exit;; esac; echo $$ > {pid_file}; exec sleep 1000'
    emulator(tmp_path, script, monkeypatch)
    image = kernel()
    with start("reproduce", saved, "--image", image, cwd=files, TMPDIR=str(files)) as process:
        end = time.monotonic() + 120
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        pid = int(pid_file.read_text())
        process.send_signal(number)
        _, err = process.communicate(timeout=120)
    if number is not signal.SIGKILL:
        assert process.returncode == ExitCode.UNDETERMINED
        assert "interrupted" in err
    for _ in range(1200):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert not list(files.iterdir())
