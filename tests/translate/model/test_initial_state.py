"""Tests of iopermit.translate.model.initial_state: bitmaps at bring-up are like all others."""

import random

import numpy as np
import pytest

from iopermit.system.bitmap import Bitmap, Geometry, PortRange
from iopermit.translate.model.initial_state import _NewBitmap


def _change(bitmap: Bitmap, rng: random.Random) -> int:
    """Do something to a bitmap; return the extent then, or 0 if that is not what was done."""
    longs = rng.randrange(bitmap.geometry.real_longs + 1)
    match rng.randrange(3):
        case 0:
            bitmap.fill(longs)
        case 1:
            bits = bitmap.geometry.long_bits
            turn_on = rng.random() < 0.5
            bitmap.change(PortRange(bits * rng.randrange(3), bits), turn_on)
        case _:
            return bitmap.extent()
    return 0


@pytest.mark.parametrize("long_bits", [32, 64])
def test_a_new_bitmap_is_an_ordinary_one(long_bits: int) -> None:
    """Whatever is done to a bitmap at bring-up has the effect that it has on any other."""
    geometry = Geometry((0, 1, 2, 3), long_bits)
    for seed in range(50):
        new, ordinary = _NewBitmap(geometry), Bitmap(geometry)
        one, other = random.Random(seed), random.Random(seed)
        for _ in range(4):
            assert _change(new, one) == _change(ordinary, other)
            denied = sum(1 << i for i, word in enumerate(ordinary.words) if word)
            assert new.denied == denied
        assert np.array_equal(new.words, ordinary.words)
