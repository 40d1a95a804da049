"""Hooks of MkDocs: links that leave docs/, the list of decisions, and pages made from the code."""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File
from tools.site.matrix import matrix_markdown, wanted_reports
from tools.site.verbs import verbs_markdown

from iopermit.report.findings.codes import HOMEPAGE

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
DECISIONS: Final = "decisions"

_LOG: Final = logging.getLogger("mkdocs.hooks.iopermit")
_LINK: Final = re.compile(r"\]\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, in the order of their numbers."""
    names = sorted(path.name for path in Path(config.docs_dir, DECISIONS).glob("*.md"))
    config.nav = _filled(config.nav, [f"{DECISIONS}/{name}" for name in names])
    return config


def _filled(nav: Any, decisions: list[str]) -> Any:  # noqa: ANN401 - what YAML has
    if isinstance(nav, list):
        return [_filled(each, decisions) for each in nav]
    if isinstance(nav, dict):
        return {
            title: decisions if what == DECISIONS else _filled(what, decisions)
            for title, what in nav.items()
        }
    return nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made: verbs, and the matrix with the reports of its cells."""
    made = {"verbs.md": verbs_markdown(), "matrix.md": matrix_markdown()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    reports = ROOT / config.extra["reports"]
    for name in wanted_reports():
        report = reports / name
        if report.is_file():
            files.append(File.generated(config, f"reports/{name}", abs_src_path=str(report)))
        else:
            _LOG.warning("%s is missing: `python -m tools.site.reports` makes it", report)
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Let links to files outside of docs/ lead to the repository."""
    folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["path"]))
        if target.startswith("docs/") and not (ROOT / target).is_dir():
            return link[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"]({HOMEPAGE}/{kind}/main/{target}{link['anchor'] or ''})"

    return _LINK.sub(replaced, markdown)
