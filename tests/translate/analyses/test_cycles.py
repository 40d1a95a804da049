"""Tests which edges between steps are not merged, so that no merged run goes on for ever."""

import random

import networkx as nx
import pytest
from tests.support.translate.small_models import FLAG, at, own, small_model, step

from iopermit.translate.analyses.cycles import back_edges
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import USER, Goto, If
from iopermit.translate.model.walk import targets


def graph(edges: dict[int, tuple[int, ...]]) -> Model:
    """Return a model whose steps go on to one or two others; none is user mode."""
    steps = []
    for pc, after in edges.items():
        places = [at(target) for target in after] or [USER]
        body = If(own(FLAG), (Goto(places[0]),), (Goto(places[-1]),))
        steps.append(step(pc, body))
    return small_model(steps)


def test_a_straight_line_has_none() -> None:
    """Steps that never come back can all be merged."""
    assert back_edges(graph({0: (1,), 1: (2,), 2: ()})) == set()


def test_a_diamond_has_none() -> None:
    """Two ways to the same step are no cycle."""
    assert back_edges(graph({0: (1, 2), 1: (3,), 2: (3,), 3: ()})) == set()


def test_a_loop_has_its_last_edge() -> None:
    """The edge back to where the loop began is not merged."""
    assert back_edges(graph({0: (1,), 1: (2,), 2: (1, 3), 3: ()})) == {(at(2), at(1))}


def test_a_step_that_waits_for_itself() -> None:
    """A step that goes on to itself closes a cycle."""
    assert back_edges(graph({0: (0, 1), 1: ()})) == {(at(0), at(0))}


@pytest.mark.parametrize("seed", range(20))
def test_every_cycle_is_cut(seed: int) -> None:
    """Without the edges found, the steps of a random program form no cycle."""
    rng = random.Random(seed)
    edges = {pc: tuple(rng.sample(range(8), rng.randrange(3))) for pc in range(8)}
    model, cut = graph(edges), back_edges(graph(edges))
    left = nx.DiGraph(
        (pc, target)
        for pc, each in model.steps.items()
        for target in targets(each.body)
        if (pc, target) not in cut
    )
    assert nx.is_directed_acyclic_graph(left)
