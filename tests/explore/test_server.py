"""Tests of iopermit.explore.server: who is answered, and what the buttons do."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest
from tests.support.explore import session

from iopermit.explore.server import Server
from iopermit.report.saved import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def serving(failed: Callable[[BaseException], object] = print) -> Iterator[Server]:
    """Serve a session in a thread of its own."""
    with Server(session(), 0, failed) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(
    server: Server,
    method: str,
    name: str,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, str, http.client.HTTPMessage]:
    """Send a request below the server's address; return status, text and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    path = name if name.startswith("/") else f"/{server.token}/{name}"
    body = None if form is None else urlencode(form)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def press(server: Server, action: str, **fields: str) -> int:
    """Press a button of the present page; return the status."""
    at = str(len(server.explorer.session.schedule))
    return ask(server, "POST", action, {"at": at, **fields})[0]


def numbered(server: Server, text: str) -> str:
    """Return the number of the choice that is called so."""
    choices = [c.text for group in server.explorer.session.choices() for c in group.choices]
    return str(choices.index(text))


def test_the_address_is_of_this_machine_and_cannot_be_guessed() -> None:
    """The server listens on 127.0.0.1 only; two servers have different tokens of 24 bytes."""
    with serving() as one, serving() as two:
        assert one.server_address[0] == "127.0.0.1"
        assert len(one.token) == len(two.token) == 32
        assert one.token != two.token
        assert urlsplit(one.address).hostname == "127.0.0.1"
        assert ask(one, "GET", "")[0] == 200


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/wrong/", "/wrong/take", "/%00", "//"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_token_nothing_is_answered(method: str, path: str) -> None:
    """A request that does not know the token is not found, and does nothing."""
    with serving() as server:
        status, text, _ = ask(server, method, path, {"at": "0", "choice": "0"})
        assert status == 404
        assert server.token not in text
        assert server.explorer.session.schedule == []


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_other_hosts_and_origins_are_refused(headers: dict[str, str]) -> None:
    """A name that was made to lead here, or a form of another page, is refused with the token."""
    with serving() as server:
        assert ask(server, "GET", "", headers=headers)[0] == 404
        status, _, _ = ask(server, "POST", "take", {"at": "0", "choice": "0"}, headers)
        assert status == 404
        assert server.explorer.session.schedule == []


def test_answers_are_kept_nowhere() -> None:
    """Pages are not stored, not framed, and tell nobody where they came from."""
    with serving() as server:
        _, text, headers = ask(server, "GET", "")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src &#39;none&#39;" in text


def test_buttons_walk_save_and_go_back() -> None:
    """Choosing leads to the leak, the schedule can be replayed, and one can go back."""
    with serving() as server:
        for text in ("ioperm(0, 65536, 1)", "switch_to() to B", "ioperm(0, 64, 1)"):
            assert ask(server, "GET", "schedule.json")[0] == 404
            assert press(server, "take", choice=numbered(server, text), whole="1") == 303
        status, text, _ = ask(server, "GET", "schedule.json")
        assert (status, problem_of(json.loads(text))) == (200, "")
        assert press(server, "back", to="28") == 303
        assert len(server.explorer.session.schedule) == 28


def test_a_way_can_be_searched_and_gone() -> None:
    """The search's button finds a way, and the other one goes it to its end."""
    with serving() as server:
        press(server, "follow")
        assert server.explorer.session.schedule == []
        press(server, "nearest")
        assert "Go this way to its end" in ask(server, "GET", "")[1]
        press(server, "follow")
        assert server.explorer.session.violation is not None


def test_a_page_that_is_old_does_nothing() -> None:
    """A button of a page that was left behind is not obeyed, and the page says so once."""
    with serving() as server:
        press(server, "take", choice="0", whole="1")
        ask(server, "POST", "take", {"at": "0", "choice": "0"})
        assert len(server.explorer.session.schedule) == 28
        assert "That page was old" in ask(server, "GET", "")[1]
        assert "That page was old" not in ask(server, "GET", "")[1]


@pytest.mark.parametrize("number", ["", "-1", "x", "9999999999", "1e3", "²"])
def test_numbers_that_are_none_do_nothing(number: str) -> None:
    """A choice, or a place to go back to, that does not exist changes nothing."""
    with serving() as server:
        assert press(server, "take", choice=number) == 303
        assert press(server, "back", to=number) == 303
        assert server.explorer.session.schedule == []


def test_an_error_is_told_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while a button is obeyed is told to who started the server, and to the browser."""
    told: list[BaseException] = []
    with serving(told.append) as server:
        monkeypatch.setattr(server.explorer.session, "take", lambda *_, **__: 1 / 0)
        form = {"at": "0", "choice": "0"}
        status, text, _ = ask(server, "POST", "take", form)
        assert (status, "The terminal says what it was." in text) == (500, True)
        assert ask(server, "GET", "")[0] == 200
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_a_form_that_is_too_long_is_not_read() -> None:
    """A request without a length, or with a long one, is not found."""
    with serving() as server:
        assert ask(server, "POST", "take", {"at": "0", "x": "y" * 2000})[0] == 404
        assert ask(server, "POST", "nothing", {"at": "0"})[0] == 404
