"""Tests of designs with switches set, and of hooks that a design leaves out."""

import pytest
from tests.support.system.driving import make
from tests.support.system.tiny_design import Tiny

from iopermit.designs import designs
from iopermit.system.options import with_options


def test_options_are_set_on_a_class_of_their_own() -> None:
    """A switch changes the variant only, and the same switches give the same class."""
    variant = with_options(Tiny, {"shortcut": True})
    assert getattr(variant, "shortcut")  # noqa: B009 - mypy knows no such attribute
    assert not Tiny.shortcut
    assert with_options(Tiny, {"shortcut": True}) is variant
    assert with_options(Tiny, {}) is Tiny


def test_an_unknown_option_is_refused() -> None:
    """The message names the design's options."""
    with pytest.raises(ValueError, match="no option 'speed'; its options: shortcut"):
        with_options(Tiny, {"speed": True})


@pytest.mark.parametrize(
    ("name", "hook", "has"),
    [
        ("linux-5.5", "vm_exit", True),
        ("linux-5.5-xen-pv", "vm_exit", False),
        ("linux-5.5", "general_protection", False),
        ("linux-2.6.10", "general_protection", True),
    ],
)
def test_a_hook_set_to_none_is_no_hook(name: str, hook: str, has: bool) -> None:
    """A design can lack a hook, and can take one back that it inherits."""
    assert make(designs()[name]).has_hook(hook) is has
