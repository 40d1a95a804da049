"""Loads designs whose hooks are to be executed as Python, and runs them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from iopermit.system.crash import KernelCrash
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import (
    DesignError,
    class_site,
    is_shipped,
    not_in_the_language,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.system.design import Design


def executable_design(name: str) -> type[Design]:
    """Return a design that keeps to the language: as Python it might do anything else, too.

    Raises:
        DesignError: there is no such design, or it does not keep to the language.
    """
    design = load_design(name)
    if not is_shipped(design):
        from iopermit.system.events import all_events
        from iopermit.system.scenario import Scenario
        from iopermit.translate.translation import translate  # takes its time

        translate(design, Scenario(1, 2, 1, all_events()))
    return design


@contextmanager
def executing(design: type[Design]) -> Iterator[None]:
    """Execute hooks of a design.

    Raises:
        DesignError: what a user's design does as Python is not understood.
    """
    try:
        yield
    except (DesignError, KernelCrash, MemoryError, OSError):
        raise
    except Exception as error:
        if is_shipped(design):
            raise
        raise not_in_the_language(class_site(design), error) from error
