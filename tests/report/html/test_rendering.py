"""Tests of iopermit.report.html.rendering: one file, nothing of it fetched, everything escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import jinja2
import pytest
from tests.support.report.schedules import review_story
from tests.support.report.verdicts import CRASH, HOLDS, UNDETERMINED

from iopermit.report.html.rendering import rendered, verdict_html
from iopermit.report.html.verdict_page import verdict_page
from iopermit.system.site import Site

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict

MOST_BYTES = 300_000
HOSTILE = "</style></script><script>alert('x')</script><img src=x onerror=alert(1)>\" autofocus '"


class Elements(HTMLParser):
    """The elements of a page and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.found.append((tag, dict(attrs)))


def inline(text: str, kind: str) -> str:
    """Return the style or the script of a page."""
    (found,) = re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
    return str(found)


def page(verdict: Verdict) -> str:
    """Return the page about a verdict."""
    return verdict_html(verdict_page(verdict))


def hostile() -> Verdict:
    """Return a leak in which names, statements, functions and files are markup."""
    verdict = review_story()
    assert verdict.trace is not None
    assert verdict.violation is not None
    site = Site(f"/{HOSTILE}.py", 1, 1, HOSTILE, HOSTILE)
    trace = tuple(
        replace(step, source=step.source and site, environment=HOSTILE) for step in verdict.trace
    )
    return replace(
        verdict,
        subject=HOSTILE,
        options=(HOSTILE,),
        trace=trace,
        violation=replace(verdict.violation, message=HOSTILE, site=site),
        uncovered=replace(verdict.uncovered, statements=(site,), events=(HOSTILE,)),
    )


@pytest.mark.parametrize("verdict", [review_story(), CRASH, HOLDS, UNDETERMINED, hostile()])
def test_a_page_fetches_nothing(verdict: Verdict) -> None:
    """No element loads a file, and links lead into the page itself."""
    for tag, attributes in Elements(page(verdict)).found:
        assert "src" not in attributes, tag
        link = attributes.get("href")
        assert link is None or link.startswith(("#", "data:,")), link
        assert tag not in ("iframe", "object", "embed", "form", "base", "img")


def test_what_comes_from_outside_is_text() -> None:
    """Names, source lines and messages that look like markup add no element and no attribute."""
    verdict = hostile()
    text = verdict_html(verdict_page(verdict, lambda _: HOSTILE))
    elements = Elements(text)
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert [tag for tag, _ in elements.found].count("style") == 1
    assert not [tag for tag, attributes in elements.found if "onerror" in attributes]
    assert not [tag for tag, attributes in elements.found if "autofocus" in attributes]
    assert text.count("&lt;script&gt;alert(&#39;x&#39;)") > 5


def test_the_policy_lets_only_the_own_style_and_script_be_used() -> None:
    """The Content-Security-Policy has the digests of what is inline, and allows nothing else."""
    text = page(review_story())
    (policy,) = [
        attributes["content"]
        for tag, attributes in Elements(text).found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(inline(text, kind).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_no_style_or_handler_stands_in_an_element() -> None:
    """The policy would refuse them: nothing has a style or an event handler of its own."""
    for _, attributes in Elements(page(review_story())).found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_no_identifier_is_there_twice() -> None:
    """Identifiers are unique, also with several violations on the page."""
    verdict = replace(review_story(), also=(review_story(), CRASH))
    found = [attributes.get("id") for _, attributes in Elements(page(verdict)).found]
    identifiers = [one for one in found if one is not None]
    assert len(identifiers) == len(set(identifiers))
    assert {"step=1", "atomic=60", "violation=2&step=1"} <= set(identifiers)


def test_links_lead_somewhere() -> None:
    """Every link of a page names an identifier of the page."""
    elements = Elements(page(replace(review_story(), also=(review_story(),)))).found
    identifiers = {attributes.get("id") for _, attributes in elements}
    links = [a["href"] for tag, a in elements if tag == "a" and a.get("href")]
    assert links
    assert [link for link in links if (link or "")[1:] not in identifiers] == []


def test_a_page_is_small() -> None:
    """The page about a leak takes less than 300 KB."""
    assert len(page(review_story()).encode()) < MOST_BYTES


def test_without_a_value_there_is_no_page() -> None:
    """A template that lacks what it shows fails, and leaves nothing out silently."""
    with pytest.raises(jinja2.UndefinedError):
        rendered("verdict.html.jinja")


def test_style_and_script_name_no_other_place() -> None:
    """Neither the style nor the script has an address in it."""
    text = page(review_story())
    for kind in ("style", "script"):
        found = re.search(r"https?:|@import|fetch\(|XMLHttp|url\((?!#)", inline(text, kind))
        assert found is None
