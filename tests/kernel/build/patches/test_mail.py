"""Taking patches out of mails."""

from __future__ import annotations

import gzip
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.patches.mail import read_diffs
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

DIFF = """\
diff --git a/kernel/a.c b/kernel/a.c
index 1111111..2222222 100644
--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,2 +1,2 @@
-\tint länge = 1;
+\tint länge = 2;
 \treturn länge;
"""
BODY = f"The text = of the mail.\n\nSigned-off-by: A\n---\n a.c | 2 +-\n\n{DIFF}-- \n2.47.0\n"


def mail(subject: str = "[PATCH] x", body: str = BODY, encoding: str = "8bit") -> bytes:
    """Return a mail with a patch."""
    message = EmailMessage()
    message["From"] = "A <a@example.org>"
    message["Subject"] = subject
    message.set_content(body, cte=encoding)
    return bytes(message)


def read(path: Path, data: bytes) -> list[bytes]:
    """Write a file and read the diffs in it."""
    path.write_bytes(data)
    return [text.data for text in read_diffs(path)]


@pytest.mark.parametrize("encoding", ["8bit", "quoted-printable", "base64"])
def test_transfer_encodings(tmp_path: Path, encoding: str) -> None:
    """A mail in each transfer encoding holds the same diff."""
    (text,) = read(tmp_path / "mail", mail(encoding=encoding))
    assert DIFF.encode() in text


def test_line_ends_of_mail(tmp_path: Path) -> None:
    """A mail with CR LF throughout holds the diff with the line ends of source code."""
    (text,) = read(tmp_path / "mail", mail().replace(b"\n", b"\r\n"))
    assert DIFF.encode() in text


def test_an_attached_patch(tmp_path: Path) -> None:
    """A patch that is attached is found, and the text of the mail is left out."""
    message = EmailMessage()
    message["Subject"] = "see attachment"
    message.set_content("Please look.\n")
    message.add_attachment(DIFF.encode(), maintype="text", subtype="x-patch", filename="x.patch")
    (text,) = read(tmp_path / "mail", bytes(message))
    assert text.decode().strip() == DIFF.strip()


def test_a_series_in_a_mailbox(tmp_path: Path) -> None:
    """A mailbox is put in order of its numbers; the cover letter and replies are left out."""
    reply = mail("Re: [PATCH 1/2] x", "\n".join(f"> {line}" for line in BODY.splitlines()))
    box = [
        mail("[PATCH v3 0/2] cover", "No patch here.\n"),
        mail("[PATCH v3 2/2] second", BODY.replace("a.c", "second.c")),
        reply,
        mail("[PATCH v3 1/2] first", BODY.replace("a.c", "first.c")),
    ]
    data = b"\n".join(b"From a@example.org Thu Jan  1 00:00:00 2026\n" + text for text in box)
    texts = read(tmp_path / "t.mbox.gz", gzip.compress(data))
    assert [b"first.c" in text for text in texts] == [True, False]
    assert [b"second.c" in text for text in texts] == [False, True]


def test_a_plain_diff(tmp_path: Path) -> None:
    """A file with nothing but a diff is taken as it is."""
    assert read(tmp_path / "x.diff", DIFF.encode()) == [DIFF.encode()]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Dear all,\n", "has no unified diff"),
        (b"", "has no unified diff"),
        (mail(body="No patch.\n"), "has no unified diff"),
        (b"<!DOCTYPE html><html><pre>+++ x</pre></html>", "is a web page, not a patch"),
        (b"\x1f\x8bbroken", "cannot read the patch"),
    ],
)
def test_files_without_a_patch(tmp_path: Path, data: bytes, reason: str) -> None:
    """A file without a diff is refused, with what to give instead."""
    with pytest.raises(KernelTreeError, match=reason):
        read(tmp_path / "file", data)


def test_a_missing_file(tmp_path: Path) -> None:
    """A patch that is not there is named."""
    with pytest.raises(KernelTreeError, match=r"cannot read the patch .*nothing: No such file"):
        read_diffs(tmp_path / "nothing")


def box(*mails: bytes) -> bytes:
    """Return a mailbox."""
    return b"\n".join(b"From a@example.org Thu Jan  1 00:00:00 2026\n" + text for text in mails)


@pytest.mark.parametrize(
    ("mails", "reason"),
    [
        ([mail("[PATCH 1/3] a"), mail("[PATCH 3/3] c")], "1/3, 3/3"),
        ([mail("[PATCH 1/2] a"), mail("[PATCH 2/2] b"), mail("[PATCH v2 2/2] b")], "1/2, 2/2, 2/2"),
        ([mail("[PATCH 1/1] a"), mail("[PATCH 2/2] b")], "1/1, 2/2"),
        ([mail("[PATCH 1/2] a"), mail("[PATCH 2/2] b", "No diff.\n")], "has no diff"),
        ([mail("[PATCH 1/2] a"), mail("[PATCH 2/2] b"), mail("a proposal")], "no number"),
    ],
)
def test_a_series_that_is_not_whole(tmp_path: Path, mails: list[bytes], reason: str) -> None:
    """A mailbox in which a patch is missing, there twice or without a number is refused."""
    with pytest.raises(KernelTreeError, match=reason):
        read(tmp_path / "t.mbox", box(*mails))


def test_one_patch_of_a_series(tmp_path: Path) -> None:
    """A mailbox with the thread of one patch of a series gives this patch."""
    (text,) = read(tmp_path / "t.mbox", box(mail("[PATCH 2/5] a"), mail("Re: [PATCH 2/5] a")))
    assert DIFF.encode() in text


def test_an_encoded_subject(tmp_path: Path) -> None:
    """The number of a patch counts also in a subject that the mail encodes."""
    second = mail("[PATCH 2/2] b", BODY.replace("a.c", "second.c"))
    first = mail("[PATCH 1/2] a", BODY.replace("a.c", "first.c"))
    coded = first.replace(b"Subject: [PATCH 1/2] a", b"Subject: =?utf-8?q?=5BPATCH_1/2=5D_a?=")
    assert coded != first
    texts = read(tmp_path / "t.mbox", box(second, coded))
    assert [b"first.c" in text for text in texts] == [True, False]


def test_the_mail_before_the_first_separator_counts(tmp_path: Path) -> None:
    """Headers at the very beginning are a mail too, if a separator follows further down."""
    texts = read(tmp_path / "t", mail("[PATCH 1/2] a") + b"\n" + box(mail("[PATCH 2/2] b")))
    assert len(texts) == 2


@pytest.mark.parametrize(("encoding", "place"), [("8bit", "mail, line "), ("base64", "mail 1 (")])
def test_where_a_line_of_a_mail_stands(tmp_path: Path, encoding: str, place: str) -> None:
    """It is named by its number in the file, or, where the mail is encoded, in its text."""
    file = tmp_path / "mail"
    file.write_bytes(mail(encoding=encoding))
    (text,) = read_diffs(file)
    number = text.lines.index(b"diff --git a/kernel/a.c b/kernel/a.c") + 1
    assert place in text.place(number)
    if encoding == "8bit":
        lines = file.read_bytes().split(b"\n")
        assert text.before is not None
        assert lines[text.before + number - 1] == text.lines[number - 1]


def test_parts_inside_of_parts(tmp_path: Path) -> None:
    """Mails in mails in mails are refused at a depth, however many there are."""
    for depth in (60, 50_000):
        data = b"Content-Type: message/rfc822\n\n" * depth + mail()
        with pytest.raises(KernelTreeError, match="parts inside of parts"):
            read(tmp_path / "deep", b"From: a\n" + data)


def test_a_header_of_any_length(tmp_path: Path) -> None:
    """A long header of a part, which takes Python long to read, is refused."""
    long = b'Content-Type: text/plain; a="' + b'\\";' * 10_000 + b"\n"
    with pytest.raises(KernelTreeError, match="header longer than"):
        read(tmp_path / "long", b"From: a\n" + long + b"\n" + DIFF.encode())


@pytest.mark.parametrize("unit", ["1", "[", "[1/", "re ", "=?utf-8?q?", "0/0 "])
def test_subjects_take_time_in_proportion(tmp_path: Path, unit: str) -> None:
    """A subject of 800 KB takes not much longer than one of 50 KB: its beginning counts."""

    def seconds(size: int) -> float:
        subject = unit * (size // len(unit))
        data = b"From: a\nSubject: [PATCH " + subject.encode() + b"\n\n" + DIFF.encode()
        begin = time.process_time()
        assert len(read(tmp_path / "mail", data)) == 1
        return time.process_time() - begin

    seconds(50_000)
    assert seconds(800_000) < 16 * 4 * max(seconds(50_000), 0.02)
