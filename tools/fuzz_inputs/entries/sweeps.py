"""Sweeps: right descriptions of which lines are others, and databases that are damaged."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import change_parts, changed_bytes
from tools.fuzz_inputs.entries.texts import texts

from iopermit.sweep.database import Database, JobResult

_RIGHT: Final = """\
title = "A sweep"
designs = ["linux-5.5", "linux-6.16"]
options = "each"
events = ["plain", "all without preempt"]
configurations = ["full", "none"]
unpatched = true
[[scenario]]
cpus = 1
tasks = 2
longs = 1
[[tree]]
name = "one"
path = "linux"
[[revisions]]
repository = "git"
rev = "v5.4..v6.1"
paths = ["kernel"]
[[patch]]
name = "fix"
files = ["fix.patch"]
trees = ["one"]
[limits]
max-states = 1000
max-memory = "1G"
timeout = 2.5
"""
_OTHERS: Final = (
    "designs = []", 'designs = "all"', 'designs = ["gone.py:A"]', "[[tree]]", "[tree]", "[limits]",
    "cpus = 99999999999999999999", "cpus = true", "timeout = inf", "timeout = nan", "events = [[]]",
    'rev = "--help..x"', 'path = "\\u0000"', 'path = "~"', "x.y = 1", "designs.x = 1", "= 1",
    '"" = 1', "files = ['/dev/null']", "files = ['.']", "max-memory = '0'",
    "unpatched = 1979-05-27",
)  # fmt: skip
_DESIGNS_ONLY: Final = _RIGHT.partition("[[tree]]")[0]
"""What needs no trees, and comes to the database."""


@functools.cache
def _database() -> bytes:
    """Return a database with a result."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "sweep.sqlite")
        with Database(file) as database:
            kept = JobResult("holds", "", "", 1, 1.0, "2026-11-27T12:00:00+00:00", "iopermit check")
            database.add("0" * 64, kept)
        return file.read_bytes()


@st.composite
def sweeps(draw: st.DrawFn) -> Attempt:
    """Return a sweep that runs nothing, with a description and a database that fit or do not."""
    lines = draw(st.sampled_from((_RIGHT, _DESIGNS_ONLY))).splitlines()
    for _ in range(draw(st.integers(0, 3))):
        change_parts(draw, lines, st.sampled_from(_OTHERS) | texts())
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    if not draw(st.integers(0, 9)):
        data = changed_bytes(draw, data)
    files = {"sweep.toml": data, "fix.patch": b""}
    if draw(st.booleans()):
        files["sweep.sqlite"] = changed_bytes(draw, _database())
    output = draw(st.sampled_from(((), ("--json",), ("--bisect",))))
    return Attempt(("sweep", "sweep.toml", "--no-run", *output), files=files)
