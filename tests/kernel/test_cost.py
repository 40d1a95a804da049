"""Counting what a tree's own code costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.faults import PROCESS, Edit, unified_diff
from tests.support.kernel.trees import build_cache, require_tree
from tests.support.requirements import shared_cache

from iopermit.cli import main
from iopermit.cli.exit_codes import ExitCode
from iopermit.designs import find
from iopermit.kernel.build.builder import build
from iopermit.kernel.cost import _LTR, KernelCost, costs_of_tree
from iopermit.system.running.cost import COLUMNS, PATHS, costs_of
from iopermit.system.running.counting import Cost

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.kernel.build.builder import BuiltTree

LARGEST_MOVE = 32
"""Bytes that the kernel's memcpy() moves at once: it may write some bytes twice."""

CRASHING = Edit(
    "take no map at the return to user mode",
    PROCESS,
    r"(struct io_bitmap \*iobm = )t->io_bitmap;",
    r"\1NULL;",
    "native_tss_update_io_bitmap",
)


def test_a_tree_does_what_its_design_does(built: BuiltTree) -> None:
    """The tree stores the base, reloads TR and copies as the design linux-6.16, on every path."""
    design = costs_of(find("linux-6.16"))
    tree = costs_of_tree(built)
    for column in COLUMNS:
        for path in PATHS:
            one, other = design[column][path], tree[column][path]
            if isinstance(one, str) or isinstance(other, str):
                assert one == other, (column, path)
                continue
            assert other.base_stores == one.base_stores, (column, path)
            assert other.task_register_loads == one.task_register_loads, (column, path)
            for name in ("map_written", "map_read"):
                exact, moved = getattr(one, name), getattr(other, name)
                assert exact <= moved <= exact + LARGEST_MOVE, (column, path, name)
                assert bool(exact) == bool(moved)


def test_the_figures_are_the_same_every_time() -> None:
    """Counting again gives the same; every path has instructions, which read something."""
    built = build(require_tree("6.12"), cache=build_cache())
    costs = costs_of_tree(built)
    assert costs_of_tree(built) == costs
    cells = [cell for column in costs.values() for cell in column.values()]
    assert all(c.instructions and c.bytes_read for c in cells if isinstance(c, KernelCost))


def test_a_path_that_crashes(tmp_path: Path) -> None:
    """Where the kernel crashes on the way, the cell says so, and the others have their figures."""
    tree = require_tree("6.12")
    patch = tmp_path / "crash.patch"
    patch.write_text(unified_diff(tree, CRASHING))
    costs = costs_of_tree(build(tree, [patch], cache=build_cache()))
    assert costs["port 0x80"]["alternate, user"] == "crash"
    assert isinstance(costs["no ioperm user"]["alternate, user"], KernelCost)


def test_costs_add_up() -> None:
    """The sum of two costs has the sums of all figures."""
    one = KernelCost(map_written=1, base_stores=2, instructions=3, bytes_read=4)
    two = KernelCost(task_register_loads=5, instructions=6, bytes_written=7)
    total = KernelCost(
        map_written=1,
        base_stores=2,
        task_register_loads=5,
        instructions=9,
        bytes_read=4,
        bytes_written=7,
    )
    assert one + two == total
    assert one + Cost(map_written=1) == KernelCost(
        map_written=2, base_stores=2, instructions=3, bytes_read=4
    )


@pytest.mark.parametrize(
    ("code", "is_ltr"),
    [
        ("0f00d8", True),  # ltr %ax
        ("660f00d8", True),  # data16 ltr %ax
        ("410f00d9", True),  # ltr %r9w
        ("0f001c25", True),  # ltr in memory
        ("0f00d0", False),  # lldt
        ("0f00c8", False),  # str
        ("0f01d8", False),
        ("900f00d8", False),
    ],
)
def test_ltr_is_recognised(code: str, is_ltr: bool) -> None:
    """LTR is told from the other instructions of its group, with and without prefixes."""
    assert bool(_LTR.match(bytes.fromhex(code))) == is_ltr


def test_the_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cost --kernel TREE --patch FILE` shows the tree without and with the patch, side by side."""
    tree = require_tree("6.12")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    patch = tmp_path / "crash.patch"
    patch.write_text(unified_diff(tree, CRASHING))
    assert main(["cost", "--kernel", str(tree), "--patch", str(patch)]) == ExitCode.HOLDS
    text = capsys.readouterr().out
    assert f"{tree}: instr" in text
    assert "with crash.patch: instr" in text
    assert "crash" in text
    assert main(["cost", "--kernel", str(tree), "--json"]) == ExitCode.HOLDS
    costs = json.loads(capsys.readouterr().out)
    assert costs["schema"] == "iopermit/cost/1"
    assert costs["trees"][0]["subject"] == str(tree)
    assert costs["trees"][0]["columns"]["port 0x80"]["switch-out"]["tss_written"] == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--patch", "x"], "--patch needs exactly one --kernel TREE"),
        (["--kernel", "a", "--kernel", "b", "--patch", "x"], "--patch needs exactly one"),
        (["linux-5.4", "--kernel", "a"], "--kernel excludes designs"),
        (["--kernel", "a", "--plot", "x.svg"], "--kernel excludes --plot"),
        (["--kernel", "/nowhere"], "no such directory: /nowhere"),
    ],
)
def test_wrong_usage(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be counted is one message, and exit status 2."""
    assert main(["cost", *arguments]) == ExitCode.BAD_INPUT
    message = capsys.readouterr().err
    assert reason in message
    assert message.startswith("iopermit: error: ")
