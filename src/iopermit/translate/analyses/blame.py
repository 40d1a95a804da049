"""Lets each CPU remember which design statement last wrote what the processor consults."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import BLAME, CPU, Const, Field, If, Stmt, Store

if TYPE_CHECKING:
    from iopermit.system.site import Site
    from iopermit.translate.model.model import Model


def add_blame(model: Model, consulted: frozenset[Field]) -> None:
    """Add the field ``cpu.blame``: the number in ``model.sites`` of the last writing statement."""
    sites: dict[Site, int] = {}
    for step in model.steps.values():
        if step.site is not None:
            sites.setdefault(step.site, len(sites) + 1)
    blame = Field("cpu", BLAME, len(sites).bit_length(), high=len(sites))
    model.fields.append(blame)
    model.blame = blame
    for step in model.steps.values():
        if step.site is not None:
            step.body = _with_blame(
                step.body, consulted, Store(blame, CPU, Const(sites[step.site]))
            )
    model.sites = tuple(sites)


def _with_blame(
    body: tuple[Stmt, ...], consulted: frozenset[Field], note: Store
) -> tuple[Stmt, ...]:
    result: list[Stmt] = []
    for statement in body:
        if isinstance(statement, If):
            then, otherwise = (
                _with_blame(b, consulted, note) for b in (statement.then, statement.otherwise)
            )
            result.append(replace(statement, then=then, otherwise=otherwise))
            continue
        result.append(statement)
        if isinstance(statement, Store) and statement.field in consulted:
            result.append(note)
    return tuple(result)


def blamed(model: Model, pc: int) -> int:
    """Return the number of the statement of a step, or 0."""
    site = model.steps[pc].site if pc in model.steps else None
    return model.sites.index(site) + 1 if site in model.sites else 0
