"""Gives tests a bare machine on each back end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.machine.bare_machine import BareMachine
from tests.support.machine.kvm import BACKENDS, require_backend

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=BACKENDS)
def machine(request: pytest.FixtureRequest) -> Iterator[BareMachine]:
    """Give a machine on each back end."""
    require_backend(request.param)
    made = BareMachine(request.param)
    yield made
    made.cpu.close()
