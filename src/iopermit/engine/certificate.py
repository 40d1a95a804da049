"""The file that certifies a verdict: every state that a search visited, and how to read them.

A file has, in this order: a line with :data:`MAGIC` and the version; the header, one line of JSON;
the states, each ``words`` little-endian words of 64 bits; the SHA-256 of all that (32 bytes).
``docs/how-it-checks.md`` describes the header.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from iopermit.engine.whole_file import whole_file
from iopermit.system.design import Design
from iopermit.system.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

MAGIC: Final = b"iopermit-certificate"
VERSION: Final = 2
WORD: Final = 8
"""Bytes in a word."""
_DIGEST: Final = 32
_LONGEST_HEADER: Final = 1 << 24
_PART: Final = 1 << 22


class CertificateError(ValueError):
    """A file that is no certificate that can be read; ``str()`` says why."""


@dataclass(frozen=True)
class StoredField:
    """Where the values of a field, or of a local variable of kernel code, are in a stored state.

    A reference is the slot plus one, NULL is 0. A bitmap has a bit for each long that is denied. An
    error number is stored without its sign. A task or CPU has a field ``at``: the number of its
    position. Variables that are not in use at the same time may share bits.
    """

    record: str
    """``task`` (idle tasks are the last), ``cpu``, ``tss``, ``globals`` or a heap class."""
    name: str
    """A variable's begins with its hook, and has line and function of each call."""
    width: int
    """In bits."""
    offsets: tuple[int, ...]
    """The first bit in each slot; -1: not stored, since it never changes."""


@dataclass(frozen=True)
class StoredPosition:
    """A number of a position, and what it stands for."""

    number: int
    path: tuple[tuple[str, int, int], ...]
    """Function, line and column of each call, then of the statement; empty for the kernel around
    the design's hooks."""
    part: str
    """Which step of the statement, or what the kernel does."""


@dataclass(frozen=True)
class Header:
    """What a certificate says about itself."""

    design: str
    """An id, or a Python file."""
    design_class: str
    options: tuple[str, ...]
    source: str
    """The SHA-256 of the design's source text (:func:`source_digest`)."""
    cpus: int
    tasks: int
    longs: int
    events: tuple[str, ...]
    reductions: tuple[str, ...]
    """What members of the set stand for: ``symmetry``, ``counters``, or both."""
    states: int
    words: int
    fields: tuple[StoredField, ...]
    positions: tuple[StoredPosition, ...]


def source_digest(design: type[Design]) -> str:
    """Return the SHA-256 of the text of all files that a design's classes are written in.

    Classes that every design has (those of iopermit.system) are not among them.
    """
    records = [design.Task, design.Cpu, design.Tss, design.Globals]
    classes = [cls for each in (design, *records) for cls in each.__mro__]
    files = {
        inspect.getfile(cls)
        for cls in classes
        if issubclass(cls, Design | Record) and not cls.__module__.startswith("iopermit.system.")
    }
    texts = sorted(Path(file).read_bytes() for file in files)
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()


def write_certificate(file: Path, header: Header, states: Iterable[bytes]) -> None:
    """Write a certificate; ``states`` are the stored states in portions. Raises OSError."""
    digest = hashlib.sha256()
    with whole_file(file) as output:
        first = b"%s %d\n%s\n" % (MAGIC, VERSION, json.dumps(asdict(header)).encode())
        for part in (first, *states):
            digest.update(part)
            output.write(part)
        output.write(digest.digest())


def read_header(file: Path, *, checked: bool = False) -> tuple[Header, int]:
    """Return what a certificate says about itself, and where its states begin in the file.

    Its checksum need not be computed if it was ``checked`` before.

    Raises:
        CertificateError: it is no certificate, of another version, cut off or damaged.
        OSError: it cannot be read.
    """
    mode = file.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        # Opening a pipe would wait for who writes to it. A directory is refused there.
        raise CertificateError("not a regular file")
    with file.open("rb") as text:
        magic, _, version = text.readline(64).rstrip(b"\n").partition(b" ")
        if magic != MAGIC:
            raise CertificateError("not a certificate")
        if version != b"%d" % VERSION:
            raise CertificateError(
                f"a certificate of another version ({version.decode(errors='replace')})"
            )
        line = text.readline(_LONGEST_HEADER)
        start = text.tell()
    try:
        header = _header(json.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CertificateError(f"its header is damaged ({error})") from error
    if (
        header.words < 1
        or file.stat().st_size != start + header.states * header.words * WORD + _DIGEST
    ):
        raise CertificateError("it is cut off, or longer than its header says")
    if not checked:
        _check_digest(file)
    return header, start


def _check_digest(file: Path) -> None:
    digest, left = hashlib.sha256(), file.stat().st_size - _DIGEST
    with file.open("rb") as data:
        while left > 0 and (part := data.read(min(left, _PART))):
            digest.update(part)
            left -= len(part)
        if data.read() != digest.digest():
            raise CertificateError("it is damaged: its checksum is wrong")


def _header(values: dict[str, Any]) -> Header:
    fields = tuple(
        StoredField(
            str(f["record"]), str(f["name"]), int(f["width"]), tuple(map(int, f["offsets"]))
        )
        for f in values.pop("fields")
    )
    positions = tuple(
        StoredPosition(
            int(p["number"]),
            tuple((str(f), int(a), int(b)) for f, a, b in p["path"]),
            str(p["part"]),
        )
        for p in values.pop("positions")
    )
    for name in ("options", "events", "reductions"):
        values[name] = tuple(map(str, values[name]))
    for name in ("cpus", "tasks", "longs", "states", "words"):
        values[name] = int(values[name])
    return Header(**values, fields=fields, positions=positions)
