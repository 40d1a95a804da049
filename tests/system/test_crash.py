"""Tests of how Python exceptions become crashes (src/iopermit/system/crash.py)."""

from typing import Any

import pytest

from iopermit.system.crash import DoubleFree, KernelAssertion, NullDereference, crash_of


def test_a_field_of_null_is_a_null_dereference() -> None:
    """Reading and writing a field of NULL name the field."""
    null: Any = None
    with pytest.raises(AttributeError) as read:
        _ = null.sequence
    with pytest.raises(AttributeError) as write:
        null.sequence = 1
    for error in (read.value, write.value):
        crash = crash_of(error)
        assert isinstance(crash, NullDereference)
        assert str(crash) == "null pointer dereference: NULL has no 'sequence'"


def test_an_assertion_keeps_its_text() -> None:
    """The message of the assertion is in the crash."""
    crash = crash_of(AssertionError("no map"))
    assert isinstance(crash, KernelAssertion)
    assert str(crash) == "kernel assertion failed: no map"


def test_a_crash_stays_what_it_is() -> None:
    """A crash is passed on."""
    crash = DoubleFree("double free")
    assert crash_of(crash) is crash


def test_other_attribute_errors_are_mistakes() -> None:
    """A missing field of a record that exists is raised again."""
    error = AttributeError("'Task' object has no attribute 'colour'")
    with pytest.raises(AttributeError, match="colour"):
        crash_of(error)
