"""Single calls and obligations: the trees keep the rules, and planted faults break them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.checking import SMALL, loaded
from tests.support.kernel.faults import unified_diff
from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.repaired import require_repaired_tree
from tests.support.kernel.trees import VERSIONS, build_cache

from iopermit.engine.errors import ReplayError
from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree, replay_tree
from iopermit.kernel.conformance.sequential import sequential_pass
from iopermit.kernel.conformance.tree_rules import Conformance, conformance_of
from iopermit.kernel.loading import load_built
from iopermit.report.json import verdict_json
from iopermit.system.events import Event

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.kernel.loading import LoadedTree


def edited(directory: Path, name: str, version: str = "6.12") -> LoadedTree:
    """Return the repaired tree with a planted fault, ready to be executed."""
    tree, patch = require_repaired_tree(version), directory / "edit.patch"
    patch.write_text(unified_diff(tree, *CORPUS[name].edits))
    return load_built(build(tree, [patch], cache=build_cache()), [patch])


def conformance(tree: LoadedTree) -> Conformance:
    """Return what the pass finds in a tree."""
    objects = (*tree.built.objects, *tree.built.callers)
    return conformance_of(tree.image, tree.lines, objects, tree.suspects)


@pytest.mark.parametrize("name", ["", "repair"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_trees_keep_every_rule(version: str, name: str) -> None:
    """Debian's trees, repaired or not, do in single calls what they have to, and call it."""
    found = conformance(loaded(version, name))
    assert found.replay is None
    assert found.unchecked == ()


def test_an_access_of_two_bytes_needs_the_byte_behind_a_map(tmp_path: Path) -> None:
    """With a byte of zeros there the last port may be used together with one that there is not."""
    replay = conformance(edited(tmp_path, "no-terminator")).replay
    assert replay is not None
    assert replay.violation is not None
    assert replay.violation.kind == "leak"
    assert "65535" in replay.violation.message
    assert "by an access of 2 bytes" in replay.violation.message
    assert replay.violation.site is not None
    assert replay.violation.site.function == "tss_setup_io_bitmap"


def test_a_broken_rule_is_the_verdict_and_can_be_shown_again(tmp_path: Path) -> None:
    """The verdict is `violated` without any search; saved, it is found again, but not repaired."""
    tree = edited(tmp_path, "wrong-error")
    found = check_tree(tree, [SMALL])
    assert found.verdict == "violated"
    assert found.violation is not None
    assert found.violation.kind == "rule"
    assert found.search.states == 0
    assert any("ioperm(" in step.environment for step in found.trace or ())
    saved = verdict_json(found)
    assert replay_tree(tree, saved, SMALL).violation == found.violation
    with pytest.raises(ReplayError, match="no longer show"):
        replay_tree(loaded("6.12", "repair"), saved, SMALL)


def test_what_was_not_asked_for_breaks_no_rule() -> None:
    """A fork that fails shows a fault of forks only, if somebody asks about failing forks."""
    tree = loaded("6.12", "exit-current")
    objects = (*tree.built.objects, *tree.built.callers)
    asked = conformance_of(tree.image, tree.lines, objects, events={Event.FORK_FAILS})
    others = conformance_of(tree.image, tree.lines, objects, events={Event.IOPERM, Event.FORK})
    assert asked.replay is not None
    assert others.replay is None


def test_the_pass_executes_what_a_small_search_does_not() -> None:
    """Lines of error paths and of privilege are executed, and counted as covered."""
    tree = loaded("6.12", "repair")
    covered, missed = tree.lines.coverage(sequential_pass(tree.image, tree.lines).executed)
    texts = {site.text for site in covered if site.function == "ksys_ioperm"}
    assert {"return -EINVAL;", "return -EPERM;", "return -ENOMEM;"} <= texts
    assert len(covered) > 5 * len(missed)
