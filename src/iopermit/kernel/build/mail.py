"""Takes patches out of mails as they come from a mailing list archive or git format-patch."""

from __future__ import annotations

import email
import email.policy
import gzip
import re
import zlib
from typing import TYPE_CHECKING

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

_DIFF = re.compile(rb"^(?:diff --git |--- [^\r\n]+\r?\n\+\+\+ )", re.MULTILINE)
_MBOX_FROM = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From \S+.*\d{4}\s*$", re.MULTILINE)
_HEADER = re.compile(rb"\A(?:From |[A-Za-z][A-Za-z0-9-]*:[ \t])")
_NUMBER = re.compile(r"\[[^\]]*?\b(\d+)/(\d+)[^\]]*\]")
_REPLY = re.compile(r"\A(?:re|aw|antw|sv)\s*(?:\[\d+\])?:", re.IGNORECASE)
_REMEDY = (
    "give what `git format-patch` or `diff -u` writes, or the mail itself (in a mailing list "
    "archive: its link `raw` or `mbox.gz`)"
)


def read_diffs(file: Path) -> list[bytes]:
    """Return the texts that hold unified diffs, in the order in which they are to be applied.

    A mailbox with a numbered series is put in the order of its subjects' `[PATCH n/m]`.

    Raises:
        KernelTreeError: The file cannot be read or has no diff.
    """
    data = _read(file)
    if _HEADER.match(data):
        messages = [email.message_from_bytes(text) for text in _messages(data)]
        patches = [message for message in messages if not _is_discussion(message)]
        if not patches:
            raise KernelTreeError(
                f"{file} is a reply or a cover letter: a diff in it is a part of the discussion; "
                "give the mail with the patch itself"
            )
        diffs = [(_series_number(message), _diff_of(message)) for message in patches]
        found = [(number, diff) for number, diff in diffs if diff is not None]
        if all(number is not None for number, _ in found):
            found.sort(key=lambda item: item[0] or 0)
        texts = [diff for _, diff in found]
    else:
        texts = [data] if _DIFF.search(data) else []
    if texts:
        return [_unix_lines(text) for text in texts]
    if re.search(rb"<html|<!doctype html", data[:4096], re.IGNORECASE):
        raise KernelTreeError(f"{file} is a web page, not a patch; {_REMEDY}")
    raise KernelTreeError(f"{file} has no unified diff; {_REMEDY}")


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
        return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise KernelTreeError(f"cannot read the patch {file}: {reason}") from error


def _messages(data: bytes) -> list[bytes]:
    """Split a mailbox at its `From ` lines; a single mail without one is one message."""
    starts = [match.start() for match in _MBOX_FROM.finditer(data)] or [0]
    ends = [*starts[1:], len(data)]
    parts = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    return [re.sub(rb"\AFrom [^\n]*\n", b"", part) for part in parts]


def _series_number(message: Message) -> int | None:
    """Return n of a subject `[PATCH n/m]`."""
    match = _NUMBER.search(" ".join(str(message.get("Subject", "")).split()))
    return int(match[1]) if match else None


def _is_discussion(message: Message) -> bool:
    """Return whether a mail is about a patch and is none: a reply, or a cover letter."""
    subject = " ".join(str(message.get("Subject", "")).split())
    return bool(_REPLY.match(subject)) or _series_number(message) == 0


def _diff_of(message: Message) -> bytes | None:
    """Return the text of a mail's parts that hold a diff, without its transfer encoding."""
    parts = [part for part in message.walk() if part.get_content_subtype() != "html"]
    payloads = [part.get_payload(decode=True) for part in parts]
    texts = [text for text in payloads if isinstance(text, bytes) and _DIFF.search(text)]
    return b"\n".join(texts) if texts else None


def _unix_lines(text: bytes) -> bytes:
    """Return the text with the line ends of kernel source, if mail gave it others throughout."""
    return text.replace(b"\r\n", b"\n") if text.count(b"\r\n") == text.count(b"\n") else text
