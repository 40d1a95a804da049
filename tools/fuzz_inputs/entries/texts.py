"""Texts that names, numbers and lists of the command line can wrongly be."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

HOSTILE: Final = (
    "", " ", "-", "--", ".", "..", "no/such", "no.py", "x" * 300, "9" * 400, "-1", "0", "1e999",
    "nan", "inf", "-inf", "\x1b[31m", "a\nb", "\u202e", "\udcff", "%s", "{0}", "all", "plain",
    "linux-5.4", "/dev/null", "/dev/full", "/dev/zero", "linux-5.4:x", "a:b:c", "2G",
    "1T", "0.0000001K",
)  # fmt: skip
"""Nothing that would be written to outside of the attempt's own directory."""


def texts() -> st.SearchStrategy[str]:
    """Return texts that are known to hurt, and any others without a slash: it leads elsewhere."""
    letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
    return st.sampled_from(HOSTILE) | st.text(letters, max_size=20)
