"""Patches as reviewers meet them: what would be left out is refused, what cannot matter skipped."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.patches.mail import read_diffs
from iopermit.kernel.build.patches.patch import apply_patches, is_never_compiled
from iopermit.kernel.build.source import Source
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "kernel/a.c"
TEXT = "one\ntwo\nthree\n"
HUNK = "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
HEADER = f"diff --git a/{FILE} b/{FILE}\n--- a/{FILE}\n+++ b/{FILE}\n"
COMBINED = f"""\
commit 1234
Merge: 1111 2222

diff --cc {FILE}
index 1111,2222..3333
--- a/{FILE}
+++ b/{FILE}
@@@ -1,3 -1,3 +1,3 @@@
  one
- two
 -TWO
++2
  three
"""
REFUSED = {
    "a combined diff": (COMBINED, "combined diff"),
    "a header without hunks": (HEADER, "has no hunks"),
    "a second header without hunks": (
        f"{HEADER}{HUNK}{HEADER.replace('a.c', 'b.c')}", "b.c has no hunks",
    ),
    "a hunk indented behind another": (
        f"{HEADER}{HUNK}    @@ -9,1 +9,1 @@\n    -x\n    +y\n", "has more lines than its header",
    ),
    "an indented hunk": (f"{HEADER}{HUNK}\n    @@ -9,1 +9,1 @@\n    -x\n    +y\n", "indented"),
    "a quoted hunk": (f"{HEADER}{HUNK}> @@ -9,1 +9,1 @@\n> -x\n> +y\n", "quoted"),
    "a quoted file": (f"{HEADER}{HUNK}> diff --git a/x b/x\n> --- a/x\n> +++ b/x\n", "quoted"),
}  # fmt: skip


def changed(directory: Path, patch: str) -> dict[str, bytes | None]:
    """Apply a patch to a tree of one file, and return what it changes."""
    return applied(directory, patch).changed


def applied(directory: Path, patch: str) -> Source:
    """Apply a patch to a tree of one file."""
    (directory / "kernel").mkdir(exist_ok=True)
    (directory / FILE).write_text(TEXT)
    file = directory / "one.patch"
    file.write_text(patch)
    return apply_patches(Source(directory), [file])


@pytest.mark.parametrize("form", REFUSED)
def test_what_would_not_be_applied_is_refused(tmp_path: Path, form: str) -> None:
    """Nothing is left out silently: the message says what, and where it can, the line."""
    patch, words = REFUSED[form]
    with pytest.raises(KernelTreeError, match=words):
        applied(tmp_path, patch)


def test_a_log_message_may_quote_a_patch(tmp_path: Path) -> None:
    """What stands before the first header, indented as `git show` does, is text."""
    log = "commit 1234\n\n    as in\n\n    @@ -1,3 +1,3 @@\n    -two\n\n"
    assert changed(tmp_path, f"{log}{HEADER}{HUNK}") == {FILE: b"one\n2\nthree\n"}


def test_lines_of_a_hunk_may_look_like_a_header(tmp_path: Path) -> None:
    """Added text that is itself a patch is added, and is no hunk."""
    hunk = "@@ -1,3 +1,5 @@\n one\n+@@ -1 +1 @@\n+> diff --git a/x b/x\n two\n three\n"
    assert changed(tmp_path, f"{HEADER}{hunk}") == {
        FILE: b"one\n@@ -1 +1 @@\n> diff --git a/x b/x\ntwo\nthree\n"
    }


@pytest.mark.parametrize(
    "header",
    [
        f"diff --git a/{FILE} b/{FILE}\nold mode 100644\nnew mode 100755\n",
        (
            f"diff --git a/{FILE} b/kernel/c.c\nsimilarity index 100%\nrename from {FILE}\n"
            "rename to kernel/c.c\n"
        ),
    ],
)
def test_a_header_may_be_all_there_is(tmp_path: Path, header: str) -> None:
    """A changed mode and a renamed file need no hunks; what follows is applied."""
    other = "diff --git a/kernel/new.c b/kernel/new.c\nnew file mode 100644\n"
    other += "--- /dev/null\n+++ b/kernel/new.c\n@@ -0,0 +1 @@\n+x\n"
    assert changed(tmp_path, f"{header}{other}")["kernel/new.c"] == b"x\n"


@pytest.mark.parametrize(
    "part",
    [
        (
            "diff --git a/Documentation/x.rst b/Documentation/x.rst\n--- a/Documentation/x.rst\n"
            "+++ b/Documentation/x.rst\n@@ -1 +1 @@\n-not there\n+x\n"
        ),
        (
            "diff --git a/tools/x.png b/tools/x.png\nindex 1..2 100644\n"
            "Binary files a/tools/x.png and b/tools/x.png differ\n"
        ),
    ],
)
def test_a_file_that_is_never_compiled_blocks_nothing(tmp_path: Path, part: str) -> None:
    """Documentation that does not fit and a binary file are skipped, and named."""
    source = applied(tmp_path, f"{part}{HEADER}{HUNK}")
    assert source.changed == {FILE: b"one\n2\nthree\n"}
    assert len(source.skipped) == 1


def test_which_files_are_never_compiled() -> None:
    """The x86 part, headers, kernel, lib and mm count; other architectures and tools do not."""
    never = ("tools/testing/selftests/x86/ioperm.c", "arch/arm64/kernel/process.c", "net/a.c")
    assert all(map(is_never_compiled, never))
    ever = ("arch/x86/kernel/ioport.c", "include/linux/sched.h", "arch/Kconfig", "lib/bitmap.c")
    assert not any(map(is_never_compiled, ever))


def mail(subject: str, body: str) -> bytes:
    """Return a mail in a mailbox."""
    message = EmailMessage()
    message["From"], message["Subject"] = "A <a@example.org>", subject
    message.set_content(body)
    return b"From a@example.org Thu Jan  1 00:00:00 1970\n" + bytes(message) + b"\n"


def test_replies_and_cover_letters_are_no_patches(tmp_path: Path) -> None:
    """A diff that somebody proposes in a reply, or shows in a cover letter, is not applied."""
    other = HUNK.replace("+2", "+II")
    box = tmp_path / "series.mbox"
    box.write_bytes(
        mail("[PATCH 0/1] series", f"In short:\n\n{HEADER}{other}")
        + mail("[PATCH 1/1] change", f"Text.\n---\n{HEADER}{HUNK}")
        + mail("Re: [PATCH 1/1] change", f"> Text.\n\nWhat about\n\n{HEADER}{other}")
    )
    (text,) = read_diffs(box)
    assert b"+2" in text.data
    assert b"+II" not in text.data


def test_a_reply_alone_is_refused(tmp_path: Path) -> None:
    """A single reply is no patch, whatever it holds, and the message says what to give."""
    reply = tmp_path / "reply.eml"
    reply.write_bytes(mail("Re: [PATCH] change", f"> x\n\n{HEADER}{HUNK}"))
    with pytest.raises(KernelTreeError, match="reply or a cover letter"):
        read_diffs(reply)
