"""The mails of a series of patches that a person has got from an archive, for the tests."""

from __future__ import annotations

import mailbox
import os
import re
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAILS: Final = "IOPERMIT_MAILS"
"""Names a directory with mails; tests skip without, whatever is required."""
PATCHES: Final = 16
"""How many patches version 2 of the series has."""
_POSTED: Final = re.compile(r"<2019111122305[1-3]\.\d+@linutronix\.de>")
"""Message-Ids of version 2, as it was posted on 11 November 2019."""
_NUMBER: Final = re.compile(rf"\[[^]]*\b0*(\d+)/{PATCHES}\]")
_MERGED: Final = "<157385235063.12247.13335840019032998507.tip-bot2@tip-bot2>"
"""02/16 as it was merged: some archives lack the mail with which version 2 posted it."""
_MERGED_NUMBER: Final = 2
_SUBJECT: Final = b"[patch V2 02/16] x86/process: Unify copy_thread_tls()"


def series_of_2019(folder: Path) -> list[Path]:
    """Write "x86/iopl: Prevent user space from using CLI/STI with iopl(3)", V2, one file a mail.

    The mails are looked for in the files of the directory that $IOPERMIT_MAILS names, by their
    Message-Ids: single mails, or mailboxes. Without one of them the running test is skipped.

    Args:
        folder: where they are written to.
    """
    named = os.environ.get(_MAILS)
    if not named:
        pytest.skip(f"needs the mails of a series: {_MAILS} names no directory with them")
    mails: dict[int, bytes] = {}
    for path in sorted(Path(named).iterdir()):
        for mail in _mails_of(path) if path.is_file() else ():
            number, posted = _number_of(mail)
            if number and (posted or number not in mails):
                mails[number] = mail
    missing = [str(number) for number in range(1, PATCHES + 1) if number not in mails]
    if missing:
        pytest.skip(f"needs patches {', '.join(missing)} of {PATCHES} in {named}: {_MAILS}")
    files = [folder / f"v2-{number:02}.eml" for number in sorted(mails)]
    for file, number in zip(files, sorted(mails), strict=True):
        file.write_bytes(mails[number])
    return files


def as_mailbox(mails: list[Path], file: Path) -> Path:
    """Write mails of the series as one mailbox; each has its number in its subject there."""
    parts = []
    for path in mails:
        mail = path.read_bytes()
        if not _number_of(mail)[1]:
            mail = re.sub(rb"(?m)^Subject: .*$", b"Subject: " + _SUBJECT, mail, count=1)
        parts.append(b"From somebody Mon Nov 11 23:03:15 2019\n" + mail.rstrip(b"\n") + b"\n\n")
    file.write_bytes(b"".join(parts))
    return file


def _mails_of(path: Path) -> Iterator[bytes]:
    """Return the mails in a file, each without the line that begins it in a mailbox."""
    data = path.read_bytes()
    if not data.startswith(b"From "):
        yield data
        return
    box = mailbox.mbox(path, create=False)
    yield from (box.get_bytes(key) for key in box.iterkeys())


def _number_of(mail: bytes) -> tuple[int, bool]:
    """Return a mail's number in the series, 0 if it has none, and whether it was posted with it."""
    message = message_from_bytes(mail)
    identity, number = str(message["Message-Id"]).strip(), _NUMBER.search(str(message["Subject"]))
    if number and _POSTED.fullmatch(identity):
        return int(number[1]), True
    return (_MERGED_NUMBER if identity == _MERGED else 0), False
