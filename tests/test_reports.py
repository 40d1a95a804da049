"""The report to the kernel's maintainers has the form that they want, and its patch is tested."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.support.kernel.trees import VERSIONS, require_tree

from iopermit.engine.control import Control
from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_tree
from iopermit.system.events import event_named
from iopermit.system.scenario import Scenario

REPORTS: Final = Path(__file__).parent.parent / "docs/reports"
MAIL: Final = REPORTS / "preempted-drop.txt"
PATCH: Final = REPORTS / "preempted-drop.patch"
FILE: Final = "arch/x86/kernel/ioport.c"
FIXES: Final = 'Fixes: ea5f1cd7ab49 ("x86/ioperm: Remove bitmap if all permissions dropped")'


def test_the_mail_is_short_plain_text() -> None:
    """At most 60 lines of 72 columns of ASCII, without decorations."""
    lines = MAIL.read_text("ascii").splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 72
    assert not [line for line in lines if line.startswith(("#", "```", "* ", "**"))]


@pytest.mark.parametrize("part", ["Where", "Versions", "Conditions", "Reproducer", "Mitigation"])
def test_the_mail_has_what_is_necessary(part: str) -> None:
    """What `Documentation/process/security-bugs.rst` calls necessary or desirable is there."""
    assert f"\n{part}: " in MAIL.read_text("ascii")


def test_the_patch_has_a_fixes_line_and_no_sign_off() -> None:
    """Who sends it signs it; the commit that it repairs is the one that the mail names."""
    text = PATCH.read_text("ascii")
    assert text.startswith("From ")
    assert f"\n{FIXES}\n---\n" in text
    assert "\nSigned-off-by:" not in text
    assert "ea5f1cd7ab49" in MAIL.read_text("ascii")
    assert max(map(len, re.findall(r"^\+.*", text, re.MULTILINE))) <= 80


@pytest.mark.parametrize("version", VERSIONS)
def test_the_patch_applies(version: str) -> None:
    """The patch applies to the trees of Debian, and puts the flag behind preempt_disable()."""
    text = apply_patches(Source(require_tree(version)), [PATCH]).text(FILE)
    function = text[text.index("task_update_io_bitmap(") :]
    assert function.index("preempt_disable();") < function.index("clear_tsk_thread_flag(")


def test_the_patch_repairs_the_tree() -> None:
    """With the patch the C of 6.12 holds in the scenario in which it leaks without."""
    events = frozenset({event_named("ioperm"), event_named("iopl"), event_named("preempt")})
    scenario = Scenario(1, 2, 1, events)
    plain = load_tree(require_tree("6.12"))
    assert check_tree(plain, [scenario], control=Control()).verdict == "violated"
    patched = load_tree(require_tree("6.12"), [PATCH])
    assert check_tree(patched, [scenario], control=Control()).verdict == "holds"
