"""Fills the templates: one file with its style and script in it, and nothing to be fetched."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import iopermit
from iopermit.report.html.geometry import lane_geometry, map_geometry

if TYPE_CHECKING:
    from iopermit.report.html.cost_page import CostPage
    from iopermit.report.html.matrix_page import MatrixPage
    from iopermit.report.html.model import VerdictPage
    from iopermit.report.html.sweep_page import SweepPage


def verdict_html(page: VerdictPage) -> str:
    """Return the page about a verdict."""
    return rendered("verdict.html.jinja", page=page)


def cost_html(page: CostPage) -> str:
    """Return the page about costs."""
    return rendered("cost.html.jinja", page=page)


def matrix_html(page: MatrixPage) -> str:
    """Return the page about a comparison."""
    return rendered("matrix.html.jinja", page=page)


def sweep_html(page: SweepPage) -> str:
    """Return the page about a sweep."""
    return rendered("sweep.html.jinja", page=page)


def rendered(template: str, *, forms: bool = False, **values: Any) -> str:  # noqa: ANN401 - what a template shows
    """Return a page; whatever is in the values is text and never becomes markup.

    Args:
        template: the name of the template.
        forms: whether the page may send forms to where it came from.
        values: what the template shows.
    """
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        f"img-src data:; base-uri 'none'; form-action '{'self' if forms else 'none'}'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            values,
            # Both are files of this package.
            style=Markup(style),  # noqa: S704 - see above
            script=Markup(script),  # noqa: S704 - see above
            policy=policy,
            version=iopermit.__version__,
        )
    )


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(map_geometry=map_geometry, lane_geometry=lane_geometry)
    return environment


@functools.cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _digest(text: str) -> str:
    """Return how a policy names an inline style or script that it lets be used."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
