"""Command lines: verbs with options of their own and of others, and values of every kind."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt
from tools.fuzz_inputs.entries.texts import texts

_VERBS: Final[dict[str, tuple[str, ...]]] = {
    "list": (),
    "check": ("linux-060aa16f",),
    "replay": ("saved.json",),
    "certify": ("file.cert",),
    "compare": ("linux-060aa16f",),
    "cost": ("linux-5.4",),
    "export": ("promela", "linux-5.4"),
    "run": ("/bin/true",),
}
_WITH_VALUES: Final = (
    "--events", "--without", "--cpus", "--tasks", "--longs", "--option", "--max-states", "--save",
    "--max-memory", "--timeout", "--threads", "--sarif", "--junit", "--certificate", "--kernel",
    "--patch", "--design", "--processes", "--plot", "--output", "--cpu", "--seed", "--io-log",
    "--serial", "--max-tasks", "--memory", "--root", "--sandbox", "--export",
)  # fmt: skip
_FLAGS: Final = ("--json", "--all", "--steps", "--quiet", "--no-options", "--user", "--help", "-h")
_BOUNDS: Final[dict[str, tuple[str, ...]]] = {
    "check": ("--max-states", "300"),
    "compare": ("--max-states", "300", "--cpus", "1", "--tasks", "1", "--events", "plain"),
}
"""What keeps an attempt short; the last value of an option counts."""


@st.composite
def arguments(draw: st.DrawFn) -> Attempt:
    """Return a verb with up to four options, whose values fit or do not."""
    verb = draw(st.sampled_from(sorted(_VERBS)))
    words = [verb, *_VERBS[verb]]
    small = st.integers(-1, 5).map(str)
    option = st.tuples(st.sampled_from(_WITH_VALUES), texts() | small) | st.tuples(
        st.sampled_from(_FLAGS)
    )
    wild = draw(st.lists(option, max_size=4))
    if draw(st.booleans()):
        words[draw(st.integers(0, len(words) - 1))] = draw(texts())
    place = 1 if verb == "run" else len(words)
    words[place:place] = [word for each in wild for word in each]
    return Attempt((*words, *_BOUNDS.get(verb, ())), files={"saved.json": b"{}"})
