"""Tests of the labels of transitions, as native code writes them."""

import itertools

import pytest
from tests.support.translate.small_models import rule, small_model, step

from iopermit.translate.native.shared.labels import (
    RULE_KINDS,
    RULES_OF_A_KIND,
    TransitionKind,
    TransitionLabel,
    rules_of,
)

LABELS = [
    TransitionLabel(cpu, kind, number)
    for cpu, kind, number in itertools.product(
        (0, 1, 3), TransitionKind, (0, 1, RULES_OF_A_KIND - 1)
    )
]


@pytest.mark.parametrize("label", LABELS, ids=str)
def test_a_label_says_what_it_was_made_of(label: TransitionLabel) -> None:
    """Encoding and decoding give CPU, kind and number again, at their bounds too."""
    assert TransitionLabel.decode(label.encoded) == label


def test_no_two_labels_are_the_same_number() -> None:
    """Every transition of a state has a label of its own."""
    assert len({label.encoded for label in LABELS}) == len(LABELS)
    assert TransitionLabel(0, TransitionKind.STEP, RULES_OF_A_KIND - 1).encoded < (
        TransitionLabel(0, TransitionKind.USER_RULE, 0).encoded
    )


def test_each_kind_has_the_rules_of_a_model() -> None:
    """A label's number is that of a rule in the list of its kind."""
    model = small_model([step(0)])
    user, thread, switch = (rule(event, starts=0) for event in ("ioperm", "exit", "switch"))
    model.user_rules, model.thread_rules, model.switch_rules = [user], [thread], [switch]
    assert [rules_of(model, kind) for kind in RULE_KINDS] == [[user], [thread], [switch]]
    assert rules_of(model, TransitionKind.STEP) == []
