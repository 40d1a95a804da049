"""Lets a worker do once what every attempt would begin with: imports, and looking at options.

Attempts are forked from it, so each takes a fifth of the time. Where the start itself is tried, as
by a signal at any time, nothing of it is done before.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
from typing import Final

from iopermit.cli import main

_MODULES: Final = (
    "iopermit.cli.check",
    "iopermit.cli.replay",
    "iopermit.cli.run",
    "iopermit.report.text",
    "iopermit.search.check",
    "iopermit.search.replay",
)
"""What verbs import only when they need it."""
_MORE_MODULES: Final = (
    "iopermit.certify.checker",
    "iopermit.kernel.build.builder",
    "iopermit.kernel.check",
    "iopermit.kernel.loading",
    "iopermit.machine.emulator",
    "iopermit.machine.run",
    "iopermit.machine.tasks.machine",
)
_COMMANDS: Final = (
    ("list",),
    ("check", "linux-060aa16f", "--cpus", "1", "--tasks", "1", "--longs", "1"),
    ("replay", "no-such-file"),
    ("certify", "no-such-file"),
    ("cost", "linux-5.4"),
    ("export", "promela", "linux-5.4", "--cpus", "1", "--tasks", "1", "--longs", "1"),
    ("compare", "linux-060aa16f", "--cpus", "1", "--tasks", "1", "--longs", "1"),
    ("cache",),
)
"""Some of what the verbs do, which loads the rest."""


@functools.cache
def warm(*, whole: bool) -> None:
    """Import what attempts need; if ``whole``, also let verbs work once, with no output."""
    for name in _MODULES:
        importlib.import_module(name)
    if not whole:
        return
    for name in _MORE_MODULES:
        importlib.import_module(name)
    for words in _COMMANDS:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            main(list(words))
    # What is there already is nobody's garbage: looking at it would copy its pages.
    gc.freeze()
