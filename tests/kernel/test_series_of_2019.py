"""The patches of November 2019, by their mails, one after the other on a vanilla 5.4 tree.

They need a tree of Linux 5.4 in the directory that $IOPERMIT_KERNEL_TREES names, and version 2 of
"x86/iopl: Prevent user space from using CLI/STI with iopl(3)" in the one that $IOPERMIT_MAILS does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from tests.support.kernel.edits_5_4 import (
    MARK,
    REMEDY,
    V2_07_MAX,
    V2_14_LAST_BYTE,
    V2_BASE,
    write_patches,
)
from tests.support.kernel.mails import PATCHES, as_mailbox, series_of_2019
from tests.support.kernel.trees import build_cache, vanilla_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_built
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel.faults import Edit

PLAIN: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM}))
"""What shows the fault that the review found, and what its remedy leaves."""
LATE: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.FORK_FAILS, Event.EXIT}))
MORE: Final = Scenario(
    1,
    2,
    1,
    frozenset({Event.IOPERM, Event.IOPL, Event.FORK, Event.EXIT, Event.PREEMPT}),
)
LAST_UNCHANGED: Final = 6
"""Patches up to this one apply to a released 5.4 as they were posted."""


@dataclass(frozen=True)
class State:
    """The series up to one of its patches, and what a check says of it.

    Attributes:
        mails: how many of its patches are applied.
        scenario: what is asked.
        kind: the kind of the nearest violation, or "nothing": no state has any. The verdict is
            *undetermined* then where a patch changes what no event of the scenario executes.
        function: the function that is blamed, or in which the kernel crashes.
        behind: edits that are made behind the patches.
    """

    mails: int
    scenario: Scenario
    kind: str
    function: str = ""
    behind: tuple[tuple[Edit, ...], ...] = ()


STATES: Final = (
    State(1, PLAIN, "nothing"),
    State(5, PLAIN, "nothing"),
    State(6, PLAIN, "leak", "ksys_ioperm"),
    State(6, PLAIN, "leak", "switch_to_bitmap", (REMEDY,)),
    State(6, PLAIN, "nothing", "", (REMEDY, MARK)),
    State(7, PLAIN, "crash", "ksys_ioperm"),
    State(7, PLAIN, "leak", "ksys_ioperm", (V2_07_MAX,)),
    State(8, PLAIN, "crash", "ksys_ioperm"),
    State(8, PLAIN, "leak", "ksys_ioperm", (V2_07_MAX,)),
    State(9, PLAIN, "nothing"),
    State(9, LATE, "loss"),
    State(10, PLAIN, "nothing"),
    State(10, LATE, "garbage", "io_bitmap_exit"),
    *(State(mails, MORE, "garbage", "ksys_ioperm") for mails in range(11, 13)),
    *(State(mails, PLAIN, "leak", "tss_update_io_bitmap") for mails in range(14, 17)),
    State(PATCHES, MORE, "crash", "io_bitmap_share", (V2_14_LAST_BYTE,)),
)


def patches_of(tree: Path, folder: Path, mails: int) -> list[Path]:
    """Return the first mails of the series, and before the seventh what a release has to have."""
    series = series_of_2019(folder)[:mails]
    first, later = series[:LAST_UNCHANGED], series[LAST_UNCHANGED:]
    return [*first, *(write_patches(tree, folder, *first, base=V2_BASE) if later else ()), *later]


@pytest.mark.parametrize(
    "state", STATES, ids=lambda state: f"{state.mails:02}-{len(state.behind)}-{state.kind}"
)
def test_each_state_of_the_series_has_its_verdict(state: State, tmp_path: Path) -> None:
    """What docs/kernel-trees.md says of it, for the reason that it says."""
    tree = vanilla_tree("5.4")
    files = patches_of(tree, tmp_path, state.mails)
    for number, edits in enumerate(state.behind):
        files += write_patches(tree, tmp_path, *files, **{f"behind-{number}": edits})
    found = check_tree(load_built(build(tree, files, cache=build_cache()), files), [state.scenario])
    if found.violation is None:
        assert state.kind == "nothing"
        assert found.search.exhausted
        assert found.verdict == "holds" or found.reason.startswith("no execution reached what")
        return
    assert state.kind == found.violation.kind, found.violation.message
    site = found.violation.site
    assert not state.function or (site is not None and site.function == state.function)


def test_the_whole_series_may_be_one_mailbox(tmp_path: Path) -> None:
    """In any order of its mails, it changes the tree as they do one by one."""
    tree = vanilla_tree("5.4")
    apart = patches_of(tree, tmp_path, PATCHES)
    base = next(path for path in apart if path.suffix == ".patch")
    mails = [path for path in apart if path != base]
    together = [base, as_mailbox(mails[::-1], tmp_path / "series.mbox")]
    changed = [apply_patches(Source(tree), files).changed for files in (apart, together)]
    assert changed[0] == changed[1]
    assert "arch/x86/include/asm/iobitmap.h" in changed[0]
