"""Tests of operations as data (src/iopermit/system/events/operations.py)."""

import pytest

from iopermit.system.events import hooks, operations
from iopermit.system.events.operations import (
    Argument,
    Call,
    Decision,
    Effect,
    Operation,
    calls,
    effects,
    following,
)

EXIT = Call(hooks.EXIT, "returns")


def test_a_body_begins_with_a_call() -> None:
    """What would happen before the first step must be said to happen at once."""
    with pytest.raises(ValueError, match="must begin with a call"):
        Operation("wrong", (Effect.REVOKE_ALL, EXIT))
    assert Operation("right", (EXIT, Effect.REVOKE_ALL)).leaves


def test_effects_and_calls_are_found_in_every_branch() -> None:
    """Both branches of decisions count, in the order in which they are written."""
    inner = Decision(Argument("fails"), (EXIT, Effect.FREE_CHILD), (Effect.START_CHILD,))
    body = (EXIT, Decision(Argument("granted"), (inner,), (Effect.REVOKE_ALL,)))
    assert list(effects(body)) == [Effect.FREE_CHILD, Effect.START_CHILD, Effect.REVOKE_ALL]
    assert list(calls(body)) == [EXIT, EXIT]


def test_a_failed_fork_calls_both_hooks() -> None:
    """fork() calls the hook fork, and fork_failed where it fails late."""
    called = [call.hook for call in calls(operations.FORK.body)]
    assert called == [hooks.FORK, hooks.FORK_FAILED]


def test_what_follows_a_call_is_found_in_every_branch() -> None:
    """After a call in a branch comes the rest of the branch, then what follows the decision."""
    inner = Decision(Argument("fails"), (EXIT, Effect.FREE_CHILD), (EXIT, Effect.START_CHILD))
    body = (EXIT, inner, Effect.REVOKE_ALL)
    assert following(body, 0) == (inner, Effect.REVOKE_ALL)
    assert following(body, 1) == (Effect.FREE_CHILD, Effect.REVOKE_ALL)
    assert following(body, 2) == (Effect.START_CHILD, Effect.REVOKE_ALL)
    with pytest.raises(IndexError, match="no such call"):
        following(body, 3)
