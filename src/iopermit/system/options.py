"""Designs with switches set."""

from __future__ import annotations

from collections.abc import Mapping

from iopermit.system.design import Design

_made: dict[tuple[type[Design], tuple[tuple[str, bool], ...]], type[Design]] = {}


def with_options(design_class: type[Design], options: Mapping[str, bool]) -> type[Design]:
    """Return the design with switches (see `Design.options`) set, the same class each time.

    Raises:
        ValueError: the design does not have one of the switches.
    """
    for name in options:
        if name not in design_class.options:
            known = ", ".join(design_class.options) or "none"
            message = f"{design_class.id} has no option {name!r}; its options: {known}"
            raise ValueError(message)
    if not options:
        return design_class
    key = (design_class, tuple(sorted(options.items())))
    if key not in _made:
        members = {"__module__": design_class.__module__, "__doc__": design_class.__doc__}
        _made[key] = type(design_class.__name__, (design_class,), members | dict(options))
    return _made[key]
