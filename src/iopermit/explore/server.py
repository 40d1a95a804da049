"""Serves the page of a session to this machine only, under an address that nobody can guess."""

from __future__ import annotations

import contextlib
import secrets
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from iopermit.explore.nearest import Way, nearest
from iopermit.explore.page import explore_html
from iopermit.explore.session import TooFarError
from iopermit.report.json import to_text, verdict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.explore.session import Session

_HOST: Final = "127.0.0.1"
_LONGEST_FORM: Final = 1000
_LOOK: Final = "The terminal says what it was."
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Explorer:
    """A session, and what was last asked of it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.way: Way | None = None
        self.message = ""
        self.whole = True
        """Whether what is chosen goes on to its end at once."""
        self.lock = threading.Lock()

    def page(self) -> str:
        """Return the page; a message is shown once."""
        message, self.message = self.message, ""
        return explore_html(self.session, self.way, message, whole=self.whole)

    def do(self, what: str, form: dict[str, str]) -> None:
        """Do what a button asks for; what belongs to an old page is not done."""
        if form.get("at") != str(len(self.session.schedule)):
            self.message = "That page was old; this is where you are."
            return
        try:
            self._do(what, form)
        except TooFarError as error:
            self.message = f"That is not possible: {error}."

    def _do(self, what: str, form: dict[str, str]) -> None:
        session = self.session
        if what == "take":
            choices = [choice for of_cpu in session.choices() for choice in of_cpu.choices]
            number = _number(form.get("choice"), len(choices))
            self.whole = "whole" in form
            if number is not None:
                session.take(choices[number], whole=self.whole)
        elif what == "back":
            number = _number(form.get("to"), len(session.schedule))
            if number is not None:
                session.back_to(number)
        elif what == "nearest":
            self.way = nearest(session) if session.violation is None else None
        elif self.way is not None and self.way.begins == len(session.schedule):
            for action in self.way.actions:
                session.apply(action)


ACTIONS: Final = ("take", "back", "nearest", "follow")
"""What a form can ask for."""


def _number(text: str | None, end: int) -> int | None:
    """Return a number below `end`, or nothing if that is none."""
    if text is None or not text.isdecimal() or len(text) > len(str(end)):
        return None
    return int(text) if int(text) < end else None


class Server(ThreadingHTTPServer):
    """Serves an explorer; only requests whose path begins with the token are answered.

    Args:
        session: what is explored.
        port: the port; 0: any that is free.
        failed: told of an error while a request was answered.

    Raises:
        OSError: the port cannot be had.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, session: Session, port: int, failed: Callable[[BaseException], object]
    ) -> None:
        super().__init__((_HOST, port), _Handler)
        self.explorer, self.failed = Explorer(session), failed
        self.token = secrets.token_urlsafe(24)

    def handle_error(self, *_: object) -> None:
        """Tell of an error; a browser that went away is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.failed(error)

    @property
    def host(self) -> str:
        """What a browser names as the host."""
        return f"{_HOST}:{self.server_port}"

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{self.host}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    timeout = 60
    server_version = "iopermit"
    sys_version = ""

    def do_GET(self) -> None:
        """Show the page, or give the schedule to be saved."""
        explorer, name = self.server.explorer, self._name()
        if name is None:
            return
        with self._whole_answer(), explorer.lock:
            if name == "":
                self._answer("text/html; charset=utf-8", explorer.page())
            elif name == "schedule.json" and explorer.session.violation is not None:
                saved = to_text(verdict_json(explorer.session.verdict()))
                self._answer("application/json", saved)
            else:
                self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """Do what a button asks for, and lead back to the page."""
        explorer, name = self.server.explorer, self._name()
        if name is None:
            return
        length = _number(self.headers.get("Content-Length"), _LONGEST_FORM)
        if name not in ACTIONS or length is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        fields = parse_qs(self.rfile.read(length).decode("ascii", "replace"))
        with self._whole_answer(), explorer.lock:
            explorer.do(name, {key: values[0] for key, values in fields.items()})
            self.send_response(HTTPStatus.SEE_OTHER)
            self.send_header("Location", f"/{self.server.token}/")
            self.send_header("Content-Length", "0")
            self.end_headers()

    @contextlib.contextmanager
    def _whole_answer(self) -> Iterator[None]:
        """Let the browser know of an error, too."""
        try:
            yield
        except OSError:
            raise
        except Exception:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=_LOOK)
            raise

    def _name(self) -> str | None:
        """Return what of the page is asked for; answer what is not for us, and return nothing.

        A page of another origin cannot read the answers, but it can send forms, and its name can
        be made to lead to this machine: so the names of host and origin are compared, too.
        """
        server = self.server
        origin = self.headers.get("Origin")
        is_ours = self.headers.get("Host") == server.host and (
            origin in (None, "null", f"http://{server.host}")
        )
        start, _, name = self.path.removeprefix("/").partition("/")
        is_known = secrets.compare_digest(start.encode(), server.token.encode())
        if is_ours and is_known:
            return name
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode("utf-8", "backslashreplace")
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the interface of the library
        """Say nothing: the token is in the address."""
