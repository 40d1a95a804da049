"""Tests of the liveness of local variables (src/iopermit/translate/stepping/live_names.py)."""

import ast

import pytest

from iopermit.translate.stepping.live_names import LiveNames


def live_before(source: str) -> dict[str, set[str]]:
    """Return the live names before each statement, by the first line of its text."""
    body = ast.parse(source).body
    live = LiveNames(body)
    return {ast.unparse(node).split("\n")[0]: set(names) for node, names in live.before.items()}


@pytest.mark.parametrize(
    ("source", "statement", "names"),
    [
        ("a = b\nuse(a)", "a = b", {"b", "use"}),
        ("a = b\nuse(a)", "use(a)", {"use", "a"}),
        ("x.f = a\nx = 1", "x.f = a", {"x", "a"}),
        ("a += 1\nreturn_(a)", "a += 1", {"a", "return_"}),
        ("if c:\n  a = 1\nelse:\n  b = 2\nz(a, b)", "if c:", {"a", "b", "c", "z"}),
        ("while c:\n  z(a)\n  a = b", "a = b", {"b", "c", "z"}),
        ("while c:\n  z(a)\n  a = b", "while c:", {"a", "b", "c", "z"}),
        ("while c:\n  if d:\n    break\n  z(a)\nz(e)", "break", {"z", "e"}),
        ("while c:\n  if d:\n    continue\n  z(a)\nz(e)", "continue", {"a", "c", "d", "e", "z"}),
        ("for i in range(n):\n  z(i, a)", "for i in range(n):", {"a", "n", "range", "z"}),
        ("with p():\n  z(a)\nz(b)", "with p():", {"a", "b", "p", "z"}),
    ],
)
def test_names_are_live_until_their_last_use(source: str, statement: str, names: set[str]) -> None:
    """A name is live exactly if some path reads it before assigning it."""
    assert live_before(source)[statement] == names


def test_nothing_after_a_return_is_live() -> None:
    """What follows a return does not count."""
    function = ast.parse("def f():\n  if c:\n    return x\n  return y").body[0]
    assert isinstance(function, ast.FunctionDef)
    live = LiveNames(function.body)
    branch = function.body[0]
    assert isinstance(branch, ast.If)
    assert live.before[branch.body[0]] == {"x"}
    assert live.before[branch] == {"c", "x", "y"}


def test_a_loop_keeps_at_its_end_what_the_next_iteration_reads() -> None:
    """At the end of an iteration the loop variable is dead, what the body reads is live."""
    loop = ast.parse("for i in range(n):\n  z(i, a)\n  a = i").body[0]
    assert LiveNames([loop]).latch[loop] == {"z", "a"}
