"""Tests of tools.fuzz_inputs.warming: attempts begin as the command does, only faster."""

import subprocess
import sys

from tools.fuzz_designs.ledger import ROOT
from tools.fuzz_inputs.command import _COLD
from tools.fuzz_inputs.entries import ENTRIES

WARM = """
import sys
from tools.fuzz_inputs.attempt import Attempt, tried
from tools.fuzz_inputs.warming import warm

cold = [tried(Attempt(words)) for words in (("list",), ("check", "no-such"))]
warm(whole=True)
again = [tried(Attempt(words)) for words in (("list",), ("check", "no-such"))]
print(all(a.output == b.output and a.status == b.status for a, b in zip(cold, again)))
print("iopermit.kernel.check" in sys.modules, "numpy" in sys.modules)
"""


def test_a_warm_worker_gives_the_same_answers() -> None:
    """Output and status are those of a cold one; nothing of warming is printed."""
    command = [sys.executable, "-c", WARM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]
    assert done.stderr == ""


def test_where_the_start_is_tried_nothing_is_done_before() -> None:
    """Signals and streams are tried on a command that starts."""
    assert set(ENTRIES) >= _COLD
    assert "streams" in _COLD
