"""Caches: entries, keys and directories that are not what was kept."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.changes import changed_bytes, displace

_CHECK: Final = ("check", "linux-060aa16f", "--cpus", "1", "--tasks", "1", "--longs", "1")
_VIOLATED: Final = 1
_TARGETS: Final = ("/dev/zero", "/etc/passwd", ".", "none", "/")
_PLACES: Final = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state"}


@functools.cache
def _genuine() -> dict[str, bytes]:
    """Return what a check keeps, by path."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: f"{folder}/{place}" for name, place in _PLACES.items()}
        command = [sys.executable, "-m", "iopermit", *_CHECK]
        subprocess.run(command, env=os.environ | places, capture_output=True, check=False)
        root = Path(folder)
        files = sorted(file for file in root.rglob("*") if file.is_file())
        return {str(file.relative_to(root)): file.read_bytes() for file in files}


@st.composite
def caches(draw: st.DrawFn) -> Attempt:
    """Return a check, whose verdict is known, or a look at the cache, which is damaged."""
    files, links, pipes = dict(_genuine()), dict[str, str](), list[str]()
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(_genuine())))
        if path not in files:
            continue
        match draw(st.sampled_from(("change", "change", "swap", "link", "pipe", "gone", "other"))):
            case "change":
                files[path] = changed_bytes(draw, files[path])
            case "swap":
                files[path] = files[draw(st.sampled_from(sorted(files)))]
            case "link" | "pipe" | "gone" as how:
                del files[path]
                displace(draw, how, path, (links, pipes), _TARGETS)
            case "other":
                files[f"{path}{draw(st.sampled_from(('x', '.o', '.part')))}"] = draw(st.binary())
    verb, statuses = draw(
        st.sampled_from(
            ((_CHECK, (_VIOLATED,)), (("cache",), (0, 2)), (("cache", "--json"), (0, 2)))
        )
    )
    environment = {name: f"{{here}}/{place}" for name, place in _PLACES.items()}
    return Attempt(
        verb, files, links, tuple(pipes), environment=environment, statuses=frozenset(statuses)
    )
