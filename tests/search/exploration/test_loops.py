"""Tests of iopermit.search.exploration.loops: the native functions, against the same in Python."""

import random
from array import array

from tests.support.search.searching import subject

from iopermit.search.exploration.loops import NativeLoops, home
from iopermit.search.exploration.memory import address
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.native.jit import compile_model

_ALL = (1 << 64) - 1


def _mixed(value: int, multiplier: int) -> int:
    value = value * multiplier & _ALL
    return value ^ value >> 33


def test_the_hash_is_that_of_murmurhash() -> None:
    """The hash of a state is the finaliser of MurmurHash3 over each of its words."""
    small = subject("linux-5.4", Scenario(1, 1, 1, PLAIN_EVENTS))
    compiled = compile_model(small.model, NO_REDUCTIONS, optimised=False)
    engine, rng = NativeLoops(compiled), random.Random(1)
    for _ in range(100):
        words = array("Q", [rng.getrandbits(64) for _ in range(compiled.packing.stored_words)])
        value = 0x9E3779B97F4A7C15
        for word in words:
            value = _mixed(value ^ word, 0xFF51AFD7ED558CCD)
        value = _mixed(value, 0xC4CEB9FE1A85EC53)
        assert engine.hash_state(address(words)) == value


def test_every_hash_has_a_home() -> None:
    """The lower half of a hash gives a partition; equal parts of its range go to each."""
    assert [home(value << 30, 4) for value in range(4)] == [0, 1, 2, 3]
    assert home(_ALL, 3) == 2
    assert home(_ALL ^ 0xFFFFFFFF, 3) == 0
