"""Tests where the bytes lie that tell what was executed."""

from tests.support.translate.small_models import at, small_model, step

from iopermit.translate.native.shared.coverage import CoverageLayout
from iopermit.translate.native.shared.labels import RULE_KINDS, RULES_OF_A_KIND

STEPS, ASSUMPTIONS = 7, 3
LAYOUT = CoverageLayout.of(small_model([step(pc) for pc in range(STEPS)]), ASSUMPTIONS)


def test_nothing_shares_a_byte() -> None:
    """Every step, every rule of any kind and every assumption has a byte of its own, inside."""
    places = [LAYOUT.step(at(pc)) for pc in range(STEPS)]
    places += [LAYOUT.rule(kind, n) for kind in RULE_KINDS for n in range(RULES_OF_A_KIND)]
    places += [LAYOUT.assumption(number) for number in range(ASSUMPTIONS)]
    assert len(set(places)) == len(places)
    assert max(places) == LAYOUT.size - 1


def test_assumptions_come_last_in_a_row() -> None:
    """The bytes from the first assumption on are those of all assumptions."""
    first = LAYOUT.assumption(0)
    assert [LAYOUT.assumption(n) for n in range(ASSUMPTIONS)] == list(range(first, LAYOUT.size))
