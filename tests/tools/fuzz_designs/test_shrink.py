"""Shrinking: what does not matter goes, what matters stays."""

from __future__ import annotations

import ast

from tools.fuzz_designs.generation.case import Case
from tools.fuzz_designs.judging.shrink import shrink, smaller_sources

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

SOURCE = """\
import os

class Thing:
    layout = 1

    def ioperm(self):
        if a and b:
            with off():
                keep()
                drop()
        else:
            other()
        return 0

    def extra(self):
        pass
"""
CASE = Case(SOURCE, Scenario(2, 3, 2, frozenset({Event.IOPERM, Event.EXIT})), "a test")


def test_only_what_the_disagreement_needs_is_left() -> None:
    """Statements, branches, methods, events and sizes that do not matter are gone."""

    def fails(case: Case) -> bool:
        return "keep()" in case.source and Event.EXIT in case.scenario.events

    small = shrink(CASE, fails, 20.0)
    text = small.source
    assert "keep()" in text
    assert not any(word in text for word in ("drop", "other", "with", "if", "extra"))
    assert small.scenario == Scenario(1, 1, 1, frozenset({Event.EXIT}))


def test_what_a_design_needs_stays() -> None:
    """The hooks that a design must have, its layout, imports and returns are not removed."""
    small = shrink(CASE, lambda case: "class Thing" in case.source, 20.0)
    for word in ("import os", "layout = 1", "def ioperm", "return 0"):
        assert word in small.source


def test_every_smaller_source_is_python() -> None:
    """Each candidate can be parsed, and is not the source itself."""
    candidates = list(smaller_sources(SOURCE))
    assert len(candidates) > 6
    for text in candidates:
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(SOURCE))


def test_the_time_is_limited() -> None:
    """Without time the case stays as it is."""
    assert shrink(CASE, lambda _: True, 0.0) == CASE
