"""Saved verdicts: real ones, of which a value is another, or bytes are missing or others."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

from hypothesis import strategies as st
from tools.fuzz_inputs.attempt import Attempt

from iopermit.designs import find
from iopermit.report.json import verdict_json
from iopermit.search.check import check
from iopermit.system.scenario import Scenario


@functools.cache
def _genuine() -> tuple[dict[str, Any], ...]:
    """Return saved verdicts, one with further violations."""
    crash = check(find("linux-060aa16f"), Scenario(1, 1, 1))
    several = check(find("linux-v2-06"), Scenario(1, 2, 2), every=True)
    return verdict_json(crash), verdict_json(several)


def _json() -> st.SearchStrategy[Any]:
    """Return any value of JSON."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(-3, 9)
        | st.floats()
        | st.text(max_size=10)
        | st.sampled_from(["step", "switch", "fork", "linux-5.4", "linux-v2-06", "\0", "\ud800"])
    )
    return st.recursive(
        leaves,
        lambda part: (
            st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3)
        ),
        max_leaves=5,
    )


def _change(draw: st.DrawFn, value: Any) -> None:  # noqa: ANN401 - JSON
    """Change one place of a value: a member is another, is gone, or is there twice."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        inner = value[key]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
            value = inner
            continue
        how = draw(st.sampled_from(["replace", "remove", "swap", "repeat"]))
        other = draw(st.sampled_from(keys))
        if how == "remove":
            del value[key]
        elif how == "swap":
            value[key], value[other] = value[other], value[key]
        elif how == "repeat" and isinstance(value, list):
            value.insert(key, copy.deepcopy(value[other]))
        else:
            value[key] = draw(_json())
        return


@st.composite
def saved_files(draw: st.DrawFn) -> Attempt:
    """Return the replay of a saved verdict that was changed in up to three places."""
    saved = copy.deepcopy(draw(st.sampled_from(_genuine())))
    for _ in range(draw(st.integers(1, 3))):
        if saved:
            _change(draw, saved)
    data = json.dumps(saved).encode()
    if not draw(st.integers(0, 5)):
        first = draw(st.integers(0, len(data)))
        last = draw(st.integers(first, len(data)))
        data = data[:first] + draw(st.binary(max_size=8)) + data[last:]
    form = draw(st.sampled_from([(), ("--json",), ("--steps",)]))
    return Attempt(("replay", "saved.json", *form), files={"saved.json": data})
