"""Patches and mails: right ones, of which lines or bytes are others, missing or there twice."""

from __future__ import annotations

import base64
import difflib
import quopri
from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import change_parts, changed_bytes
from tools.fuzz_inputs.entries.trees import BOUNDS, ENVIRONMENT, kernel_tree

_LINES: Final = (
    "--- a/Makefile\n", "+++ b/../x\n", "+++ b//etc/x\n", "+++ /dev/null\n", "--- /dev/null\n",
    "@@ -1 +1 @@\n", "@@ -0,0 +1,9999999 @@\n", f"@@ -{'9' * 5000} +1 @@\n", "@@ -1,3 +1,3\n",
    "diff --git a/Makefile b/Makefile\n", "new file mode 120000\n", "deleted file mode 100644\n",
    "rename from Makefile\n", "rename to tree\n", "copy from a\n", "GIT binary patch\n", "-- \n",
    "old mode 100644\n", "new mode 100755\n", "similarity index 100%\n", "\\ No newline\n", "\0\n",
    "From: x\n", "Subject: =?utf-8?B?////?=\n", f"Subject: {'=?utf-8?Q?=61?= ' * 500}\n",
    "Content-Type: multipart/mixed; boundary=x\n", "--x\n", "--x--\n", "begin 644 x\n",
    "Content-Transfer-Encoding: base64\n", "Content-Type: text/plain; charset=utf-7\n", "\r\n",
    "+\x1b[2J\n", " \n", "+\n", "-\n",
)  # fmt: skip


@st.composite
def patches(draw: st.DrawFn) -> Attempt:
    """Return the check of a tree with a patch, as it is or in a mail, that was changed."""
    tree = kernel_tree()
    lines = _diff(draw, tree)
    others = st.sampled_from(_LINES) | st.text(max_size=20).map(lambda text: f"{text}\n")
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 3)))):
        change_parts(draw, lines, others)
    data = _wrapped(draw, "".join(lines).encode("utf-8", "replace"))
    if not draw(st.integers(0, 4)):
        data = changed_bytes(draw, data)
    files = {path: text.encode() for path, text in tree.items()} | {"a.patch": data}
    again = ("--patch", "a.patch") if not draw(st.integers(0, 7)) else ()
    words = ("check", "--kernel", "tree", "--patch", "a.patch", *again, *BOUNDS)
    return Attempt(words, files, environment=ENVIRONMENT)


def _diff(draw: st.DrawFn, tree: dict[str, str]) -> list[str]:
    """Return the lines of a right patch of up to two files."""
    found: list[str] = []
    for path in draw(st.lists(st.sampled_from(sorted(tree)), unique=True, min_size=1, max_size=2)):
        before = tree[path].splitlines(keepends=True)
        after = list(before)
        for _ in range(draw(st.integers(1, 3))):
            change_parts(draw, after, st.just("a new line\n"))
        name = path.removeprefix("tree/")
        context = draw(st.integers(0, 4))
        found += difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", n=context)
    return found


def _wrapped(draw: st.DrawFn, patch: bytes) -> bytes:
    """Return a patch as it is, or in a mail, in one of the ways in which mail is encoded."""
    head = b"From: A <a@b.c>\nSubject: [PATCH] x\nMIME-Version: 1.0\n"
    plain = head + b"Content-Type: text/plain; charset=utf-8\n"
    match draw(st.sampled_from(("no", "no", "plain", "base64", "quoted", "parts", "mbox"))):
        case "plain":
            return plain + b"\nWhy.\n---\n" + patch
        case "base64":
            coded = base64.encodebytes(patch)
            return plain + b"Content-Transfer-Encoding: base64\n\n" + coded
        case "quoted":
            coded = quopri.encodestring(patch)
            return plain + b"Content-Transfer-Encoding: quoted-printable\n\n" + coded
        case "parts":
            kind = b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain\n\n"
            return head + kind + patch + b"\n--x--\n"
        case "mbox":
            return b"From 0 Mon Sep 17 00:00:00 2001\n" + plain + b"\n" + patch
    return patch
