"""Tests of iopermit.cli.progress: what is shown while a search runs."""

import pytest

from iopermit.cli import progress
from iopermit.engine.progress import Progress

AT = Progress(2000, 7, 300, 9000, 2.0, 64 << 20, "2 CPUs, 3 tasks, 2 longs")


def test_line_has_the_figures() -> None:
    """A line tells states, depth, frontier, rate and memory, and in which scenario."""
    assert progress.line(AT) == (
        "2 CPUs, 3 tasks, 2 longs: 2,000 states, depth 7, frontier 300, 1,000 states/s, 64 MiB"
    )


def test_no_time_no_rate() -> None:
    """At the very start there is no division by zero."""
    assert ", 0 states/s, " in progress.line(Progress(1, 0, 1, 0, 0.0, 0))


def test_lines_come_at_times_and_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there is a line after two seconds, then every ten."""
    times = iter([0.0, 1.0, 2.5, 2.5, 5.0, 12.0, 13.0, 13.0])
    monkeypatch.setattr("iopermit.cli.progress.time.monotonic", lambda: next(times))
    lines = []
    with progress.shown(quiet=False) as show:
        assert show is not None
        for _ in range(5):
            show(AT)
            out, err = capsys.readouterr()
            assert out == ""
            lines.append(len(err.splitlines()))
    assert lines == [0, 1, 0, 0, 1]


def test_quiet_shows_nothing() -> None:
    """--quiet shows no progress at all."""
    with progress.shown(quiet=True) as show:
        assert show is None
