"""One attempt: the command with its input, in a process with limits, and what is wrong with it."""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Final, NoReturn

from iopermit.cli import main

SECONDS: Final = 30.0
"""After which an attempt is a hang."""
MEMORY: Final = 3 << 29
"""Bytes that an attempt may have at once; the process that it is forked from has some 200 MB."""
_SHOWN: Final = 20_000
"""Bytes of a file that a finding shows."""
STATES: Final = ("open", "open", "closed", "full", "unread")
"""Of a standard stream; the first is the usual one. Input is at its end instead of full."""
_STEERING: Final = frozenset(map(chr, (*range(9), *range(11, 32), 127, *range(128, 160))))


@dataclass(frozen=True, repr=False)
class Attempt:
    """A command line, what lies beside it, the state of the streams, and a signal with its time."""

    words: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    """By path in the directory of the attempt; what can be executed begins with ``#`` or ELF."""
    links: dict[str, str] = field(default_factory=dict)
    """Symbolic links, by path, with where they lead."""
    pipes: tuple[str, ...] = ()
    """Named pipes, by path."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables; ``{here}`` in a value is the directory of the attempt."""
    streams: tuple[str, ...] = ("open", "open", "open")
    told: tuple[signal.Signals, float] | None = None
    own_status: bool = False
    """Whether the status is that of a program that the command runs."""
    statuses: frozenset[int] = frozenset({0, 1, 2, 3, 5})
    """Those that can be right; by default all that are documented for a verdict."""

    def __repr__(self) -> str:
        """Say what is not as usual; of long files only the beginning, as machine code is long."""
        shown = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name == "files":
                value = {path: data[:_SHOWN] for path, data in value.items()}
            if each.default_factory is MISSING or value != each.default_factory():
                shown += [f"{each.name}={value!r}"] if value != each.default else []
        return f"Attempt({', '.join(shown)})"


@dataclass(frozen=True)
class Ended:
    """How an attempt ended; a negative status is a signal."""

    status: int
    output: str
    errors: str
    seconds: float
    memory: int
    left: tuple[str, ...]
    """Files in its directory that were not there before."""
    changed: tuple[str, ...] = ()
    """Files of the input that are not as they were."""


def tried(attempt: Attempt) -> Ended:
    """Try an attempt in a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="iopermit-fuzz-") as name,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        directory = Path(name)
        lay_out(attempt, directory)
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(attempt, directory, out.fileno(), err.fileno())
        status, memory = _waited(child, attempt, begun)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read(1 << 20).decode("utf-8", "replace"))
        # The message only names the file with the traceback.
        texts[1] += "".join(map(Path.read_text, directory.glob("iopermit-fault-*.txt")))
        paths = (*attempt.files, *attempt.links, *attempt.pipes)
        found = {file.name for file in directory.iterdir()} - {Path(p).parts[0] for p in paths}
        seconds = time.monotonic() - begun
        changed = tuple(
            path for path, data in attempt.files.items() if _read(directory / path) != data
        )
        return Ended(status, texts[0], texts[1], seconds, memory, tuple(sorted(found)), changed)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def lay_out(attempt: Attempt, directory: Path) -> None:
    """Make what lies in the directory of an attempt."""
    for path in (*attempt.files, *attempt.links, *attempt.pipes):
        (directory / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, data in attempt.files.items():
        (directory / path).write_bytes(data)
        (directory / path).chmod(0o755 if data[:1] in (b"#", b"\x7f") else 0o600)
    for path, target in attempt.links.items():
        (directory / path).symlink_to(target)
    for path in attempt.pipes:
        os.mkfifo(directory / path)


def _waited(child: int, attempt: Attempt, begun: float) -> tuple[int, int]:
    """Wait for the end, send the signal meanwhile, and return status and memory."""
    number, due = attempt.told or (signal.SIGKILL, SECONDS)
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss << 10
        passed = time.monotonic() - begun
        if passed > due:
            os.kill(child, number)
            number, due = signal.SIGKILL, SECONDS
        if passed > SECONDS:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.005)


def _become(attempt: Attempt, directory: Path, out: int, err: int) -> NoReturn:
    """Be the command."""
    status = 99
    try:
        os.setsid()
        os.chdir(directory)
        tempfile.tempdir = str(directory)
        for name, value in attempt.environment.items():
            os.environ[name] = value.replace("{here}", str(directory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, state, usual in zip((0, 1, 2), attempt.streams, (None, out, err), strict=True):
            _redirect(number, state, usual)
        sys.stdin = None if attempt.streams[0] == "closed" else sys.stdin
        sys.stdout = None if attempt.streams[1] == "closed" else open(1, "w", closefd=False)  # noqa: SIM115 - a descriptor
        sys.stderr = None if attempt.streams[2] == "closed" else open(2, "w", closefd=False)  # noqa: SIM115 - as above
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Those of Hypothesis, in which a signal's exception would be lost.
        gc.callbacks.clear()
        sys.argv = ["iopermit", *attempt.words]
        status = main()
    except BaseException:  # noqa: BLE001 - the process of the tool must not go on twice
        os.write(err, traceback.format_exc().encode("utf-8", "replace"))
    os._exit(status)


def _redirect(number: int, state: str, usual: int | None) -> None:
    """Bring a standard stream into a state."""
    os.close(number)
    if state == "closed":
        return
    if state == "unread" and number:
        reading, writing = os.pipe()
        os.dup2(writing, number)
        for descriptor in {reading, writing} - {number}:
            os.close(descriptor)
        return
    if state == "full" and number:
        descriptor = os.open("/dev/full", os.O_WRONLY)
    elif usual is None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
    else:
        descriptor = os.dup(usual)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)


def _is_kept(path: str) -> bool:
    """Return whether a file is of a cache, which the command renews."""
    return path.startswith(("cache/", "state/"))


def fault_of(attempt: Attempt, ended: Ended) -> str:
    """Return what is wrong with how an attempt ended, or an empty string."""
    text = ended.output + ended.errors
    quiet = attempt.streams[2] == "open" and not ended.errors
    ours = -ended.status if ended.status < 0 else 0
    decided = not attempt.own_status
    faults = {
        "hang": ended.seconds > SECONDS,
        "internal error": "internal error" in ended.errors or (decided and ended.status == 4),  # noqa: PLR2004 - as documented
        "traceback": "Traceback (most recent call last)" in text,
        "killed": ended.status < 0 and (attempt.told is None or ours != attempt.told[0]),
        "another status": decided and ended.status >= 0 and ended.status not in attempt.statuses,
        "no message": decided and ended.status == 2 and quiet,  # noqa: PLR2004 - as documented
        "memory": ended.memory > MEMORY,
        "the terminal is steered": bool(_STEERING & set(text)),
        "a program wrote a file": attempt.own_status and bool(ended.left),
        # An empty file has nothing to lose: it can become the database of a sweep.
        "an input was changed": any(
            attempt.files.get(path) != b"" and not _is_kept(path) for path in ended.changed
        ),
        "half a file": any(name.startswith(".iopermit-") for name in ended.left),
    }
    return next((name for name, found in faults.items() if found), "")
