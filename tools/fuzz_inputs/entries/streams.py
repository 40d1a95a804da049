"""Streams that are closed, full or have no reader, and signals at any time."""

from __future__ import annotations

import signal
from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import STATES, Attempt

_SMALL: Final = ("--cpus", "1", "--tasks", "1", "--longs", "1")
_OUTPUTS: Final = ("/dev/full", "/dev/null", ".", "file", "no/such", "x" * 300)
_COMMANDS: Final = (
    ("--help",),
    ("--version",),
    ("list",),
    ("check", "linux-060aa16f", *_SMALL),
    ("check", "no-such"),
    ("check", "linux-6.16", "--cpus", "2", "--tasks", "2", "--longs", "1"),
    ("compare", "linux-060aa16f", *_SMALL),
    ("cost", "linux-5.4"),
    ("export", "promela", "linux-5.4", *_SMALL),
    ("replay", "saved.json"),
    ("run", "/bin/echo", "hello"),
    ("run", "--strace", "/bin/true"),
)
_FILES: Final[dict[str, tuple[str, ...]]] = {
    "check": ("--save", "--junit", "--sarif"),
    "cost": ("--plot",),
    "export": ("--output",),
    "run": ("--io-log", "--json", "--serial"),
}


@st.composite
def streams(draw: st.DrawFn) -> Attempt:
    """Return a command with its streams in any state, outputs to anywhere, and maybe a signal."""
    words = list(draw(st.sampled_from(_COMMANDS)))
    options = _FILES.get(words[0], ())
    if options:
        place = 1 if words[0] == "run" else len(words)
        named = draw(st.lists(st.sampled_from(options), unique=True, max_size=2))
        for option in named:
            words[place:place] = [option, draw(st.sampled_from(_OUTPUTS))]
    states = draw(st.tuples(*[st.sampled_from(STATES)] * 3))
    numbers = st.sampled_from([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    told = draw(st.none() | st.tuples(numbers, st.floats(0.02, 1.5)))
    return Attempt(tuple(words), files={"saved.json": b"{}"}, streams=states, told=told)
