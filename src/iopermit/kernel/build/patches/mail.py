"""Takes patches out of mails as they come from a mailing list archive or git format-patch."""

from __future__ import annotations

import email
import email.errors
import email.header
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.reading import read_patch_file
from iopermit.kernel.build.patches.text import DiffText
from iopermit.kernel.errors import PatchError

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

_DIFF: Final = re.compile(
    rb"^(?:diff --(?:git|cc|combined) |--- [^\r\n]++\r?\n\+\+\+ |@@ -[0-9])", re.MULTILINE
)
_MBOX_FROM: Final = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]{1,300}+$", re.MULTILINE
)
_YEAR: Final = re.compile(rb"\S++ .*[0-9]{4}[ \t]*")
_HEADER: Final = re.compile(rb"\A(?:From |[A-Za-z][A-Za-z0-9-]*+:[ \t])")
_NUMBER: Final = re.compile(r"\[[^\]\[]*?\b([0-9]{1,5})/([0-9]{1,5})\b[^\]\[]*\]")
_REPLY: Final = re.compile(r"\A(?:re|aw|antw|sv)\s*(?:\[[0-9]{1,9}\])?:", re.IGNORECASE)
_NESTED: Final = re.compile(
    rb"^Content-Type:\s*(?:message|multipart)/", re.MULTILINE | re.IGNORECASE
)
_LONG_HEADER: Final = re.compile(
    rb"^Content-[A-Za-z-]+:(?:[^\n]|\n[ \t]){8192}", re.MULTILINE | re.IGNORECASE
)
_DEEPEST: Final = 50
_SUBJECT: Final = 1000
"""Characters of a subject that are looked at."""
_REMEDY: Final = (
    "give what `git format-patch` or `diff -u` writes, or the mail itself (in a mailing list "
    "archive: its link `raw` or `mbox.gz`)"
)


@dataclass(frozen=True)
class _Mail:
    """A mail of a file: its number in it, its headers and body, and what is said of it."""

    count: int
    raw: bytes
    before: int
    """How many lines of the file come before it."""
    message: Message
    subject: str
    number: tuple[int, int] | None
    """n and m of `[PATCH n/m]`."""

    @property
    def name(self) -> str:
        return f"mail {self.count} ({self.subject[:80]!r})"

    @property
    def is_discussion(self) -> bool:
        """Whether it is about a patch and is none: a reply, or a cover letter."""
        return bool(_REPLY.match(self.subject)) or (self.number is not None and not self.number[0])


def read_diffs(file: Path) -> list[DiffText]:
    """Return the texts that hold unified diffs, in the order in which they are to be applied.

    A mailbox with a numbered series is put in the order of its subjects' `[PATCH n/m]`.

    Raises:
        PatchError: The file cannot be read or has no diff, or a series is not whole.
    """
    data = read_patch_file(file)
    texts = _of_mails(data, file) if _HEADER.match(data) else []
    if not _HEADER.match(data) and _DIFF.search(data):
        texts = [DiffText(_unix_lines(data), file)]
    if texts:
        return texts
    if re.search(rb"<html|<!doctype html", data[:4096], re.IGNORECASE):
        raise PatchError(f"{file} is a web page, not a patch; {_REMEDY}")
    raise PatchError(f"{file} has no unified diff; {_REMEDY}")


def _of_mails(data: bytes, file: Path) -> list[DiffText]:
    mails = _mails(data, file)
    patches = [mail for mail in mails if not mail.is_discussion]
    if not patches:
        raise PatchError(
            f"{file} is a reply or a cover letter: a diff in it is a part of the discussion; "
            "give the mail with the patch itself"
        )
    diffs = [(mail, _diffs_of(mail, file)) for mail in patches]
    found = [(mail, texts) for mail, texts in diffs if texts]
    if len(mails) > 1:
        _require_series(diffs, file)
    if all(mail.number is not None for mail, _ in found):
        found.sort(key=lambda item: item[0].number or (0, 0))
    return [text for _, texts in found for text in texts]


def _require_series(diffs: list[tuple[_Mail, list[DiffText]]], file: Path) -> None:
    """Refuse a mailbox of which a part would not be applied, or twice."""
    numbered = [(mail, mail.number, texts) for mail, texts in diffs if mail.number is not None]
    for mail, _, texts in numbered:
        if not texts:
            raise PatchError(f"{file}: {mail.name} has no diff; the series is not whole")
    if not numbered or sum(bool(texts) for _, texts in diffs) == 1:
        return
    for mail, texts in diffs:
        if texts and mail.number is None:
            raise PatchError(
                f"{file}: {mail.name} has a diff and no number of the series; give the patches "
                "as files of their own, in order"
            )
    numbers = sorted(number for _, number, _ in numbered)
    total = numbers[-1][1]
    wanted = [(count, total) for count in range(1, total + 1)] if total <= len(numbers) else []
    if numbers != wanted:
        stated = ", ".join(f"{one}/{all_}" for one, all_ in numbers[:20])
        raise PatchError(
            f"{file} has the patches {stated}: a mailbox needs each patch of one series once; "
            "give other patches as files of their own, in order"
        )


def _mails(data: bytes, file: Path) -> list[_Mail]:
    """Split a mailbox at its `From ` lines; a single mail without one is one message."""
    lines = [
        match
        for match in _MBOX_FROM.finditer(data)
        if match.start() == 0 or _YEAR.fullmatch(match[0][5:])
    ]
    starts = [match.start() for match in lines] or [0]
    if starts[0]:
        starts.insert(0, 0)
    ends = [*starts[1:], len(data)]
    before, mails = 0, []
    for count, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        raw = data[start:end]
        mails.append(_mail(raw, count, before, file))
        before += raw.count(b"\n")
    return mails


def _mail(raw: bytes, count: int, before: int, file: Path) -> _Mail:
    # What follows is recursive, and in places quadratic, in Python's own library.
    if len(_NESTED.findall(raw)) > _DEEPEST:
        raise PatchError(f"{file}: mail {count} has more than {_DEEPEST} parts inside of parts")
    if _LONG_HEADER.search(raw):
        raise PatchError(f"{file}: mail {count} has a header longer than 8 KB")
    try:
        message = email.message_from_bytes(re.sub(rb"\AFrom [^\n]*\n", b"", raw))
    except RecursionError as error:
        raise PatchError(f"{file}: mail {count} has too many parts inside of parts") from error
    subject = _subject(message)
    match = _NUMBER.search(subject)
    number = (int(match[1]), int(match[2])) if match else None
    return _Mail(count, raw, before, message, subject, number)


def _subject(message: Message) -> str:
    """Return a mail's subject on one line, as far as it is looked at."""
    raw = str(message.get("Subject", ""))[:_SUBJECT]
    try:
        text = str(email.header.make_header(email.header.decode_header(raw)))
    except (ValueError, LookupError, email.errors.MessageError):
        text = raw
    return " ".join(text.split())


def _diffs_of(mail: _Mail, file: Path) -> list[DiffText]:
    """Return the mail's parts that hold a diff, without their transfer encoding."""
    texts = []
    for part in mail.message.walk():
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or part.get_content_subtype() == "html":
            continue
        if _DIFF.search(payload):
            place = mail.raw.find(payload)
            before = None if place < 0 else mail.before + mail.raw.count(b"\n", 0, place)
            texts.append(DiffText(_unix_lines(payload), file, before, mail.name))
    return texts


def _unix_lines(text: bytes) -> bytes:
    """Return the text with the line ends of kernel source, if mail gave it others throughout."""
    return text.replace(b"\r\n", b"\n") if text.count(b"\r\n") == text.count(b"\n") else text
