"""A virtual machine is started, listened to, and leaves nothing behind, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.reproduce.emulators import emulator

from iopermit.reproduce.emulated_machine import EmulatedMachine, GuestSilentError
from iopermit.reproduce.errors import ReproduceError

IMAGE = Path("vmlinuz")
SILENT = "echo $$; exec sleep 1000"
"""Tells its process id and is silent then."""


def machine() -> EmulatedMachine:
    """Return a machine that is not started yet."""
    return EmulatedMachine(IMAGE, b"the file system", "an=option", cpus=2)


def is_running(pid: int) -> bool:
    """Return whether a process is there, and no zombie."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def ended(pid: int) -> bool:
    """Wait until a process has ended; return whether it did."""
    end = time.monotonic() + 60
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_running(pid)


def test_a_line_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console is read line by line, and what is typed on it arrives."""
    emulator(tmp_path, "echo READY; read a; echo got $a; sleep 9", monkeypatch)
    with machine() as made:
        made.wait_for(lambda line: line == "READY", 60)
        made.say("go")
        made.wait_for(lambda line: line == "got go", 60)
    assert made.lines == ["READY", "got go"]


def test_the_first_file_system_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU reads it from an open file without a name, and gets the kernel's options."""
    show = 'while [ "$1" != -initrd ]; do shift; done; cat $2; echo; echo "$4"; readlink $2'
    emulator(tmp_path, show, monkeypatch)
    with machine() as made:
        made.wait_for(lambda line: "memfd" in line, 60)
    assert made.lines[0] == "the file system"
    assert made.lines[1] == "console=ttyS0 quiet panic=-1 no_timer_check an=option"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no; echo kernel; exit 3", r"stopped \(QEMU's status 3\)[^!]*no\n *kernel"),
        ("exit 0", "it was empty"),
        ("echo half; exec sleep 9", "said nothing more within 2 s"),
    ],
)
def test_a_line_that_does_not_come_is_told(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that ends or is silent is an error with the last lines of the console."""
    emulator(tmp_path, script, monkeypatch)
    with machine() as made, pytest.raises(GuestSilentError, match=message):
        made.wait_for(lambda line: line == "READY", 2 if "half" in script else 60)


def test_a_missing_emulator_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without QEMU the message says how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReproduceError, match="apt-get install qemu-system-x86"), machine():
        pass


@pytest.mark.parametrize("raised", [KeyError, KeyboardInterrupt, SystemExit, None])
def test_nothing_is_left_behind(
    raised: type[BaseException] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever happens inside: QEMU and what it started have ended, and no descriptor is open."""
    emulator(tmp_path, "sleep 1000 & echo $!; echo $$; wait", monkeypatch)
    before = descriptors()
    with contextlib.suppress(KeyError, KeyboardInterrupt, SystemExit), machine() as made:
        made.wait_for(lambda _: len(made.lines) == 2, 60)
        assert all(is_running(int(pid)) for pid in made.lines)
        if raised is not None:
            raise raised
    assert len(made.lines) == 2
    assert all(ended(int(pid)) for pid in made.lines)
    assert descriptors() == before


STARTS = """
import sys
from pathlib import Path
from iopermit.reproduce.emulated_machine import EmulatedMachine
with EmulatedMachine(Path("vmlinuz"), b"", "", cpus=1) as machine:
    machine.wait_for(lambda line: True, 60)
    print(machine.lines[0], flush=True)
    machine.wait_for(lambda line: False, 1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_end_by_a_signal_ends_it(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QEMU ends when the process that started it is killed, and no file is left."""
    emulator(tmp_path, SILENT, monkeypatch)
    files = tmp_path / "files"
    files.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", STARTS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(files)},
        cwd=files,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.send_signal(number)
    assert ended(pid)
    assert not list(files.iterdir())
