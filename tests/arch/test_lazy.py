"""Tests of iopermit.arch.lazy: NumPy is imported when it is used, not before."""

import subprocess
import sys

from iopermit.arch.lazy import np


def test_numpy_is_imported_when_it_is_used() -> None:
    """Importing every design leaves NumPy out; using the stand-in brings it in."""
    code = """
import sys
import iopermit.designs
from iopermit.arch.lazy import np
assert "numpy" not in sys.modules
assert np.zeros(1).sum() == 0
assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_stand_in_has_what_numpy_has() -> None:
    """Functions and types are those of NumPy itself."""
    import numpy  # noqa: ICN001, PLC0415 - under its own name, to compare

    assert np.zeros is numpy.zeros
    assert np.uint64 is numpy.uint64
