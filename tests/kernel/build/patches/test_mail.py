"""Taking patches out of mails."""

from __future__ import annotations

import gzip
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
