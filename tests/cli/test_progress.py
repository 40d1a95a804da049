"""Tests of iopermit.cli.progress: what is shown while a search runs."""

import os
import pty
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iopermit.cli import progress
from iopermit.cli.progress import SearchProgress, figures, shown
from iopermit.engine.limits import Limits
from iopermit.engine.progress import Progress
from iopermit.system.events import all_events, plain_events
from iopermit.system.scenario import Scenario

AT = Progress(2000, 7, 300, 9000, 2.0, 64 << 20)
SCENARIOS = [Scenario(1, 1, 1, plain_events()), Scenario(2, 3, 2, all_events())]


def after(seconds: float, scenarios: list[Scenario]) -> SearchProgress:
    """Return the progress of searches that began some time ago."""
    return SearchProgress(lambda: scenarios, started=time.monotonic() - seconds)


def test_figures_have_the_rate_and_the_memory() -> None:
    """The figures of a search are states, depth, frontier, rate and memory."""
    assert figures(AT) == "2,000 states, depth 7, frontier 300, 1,000 states/s, 64 MiB"


def test_no_time_no_rate() -> None:
    """At the very start there is no division by zero."""
    assert ", 0 states/s, " in figures(replace(AT, seconds=0.0))


def test_a_line_tells_the_phase_and_the_scenario() -> None:
    """From preparing to the last scenario, a line says which one of how many, and since when."""
    told = after(3.2, SCENARIOS)
    assert told.line() == "preparing, 3 s"
    control = told.control(Limits())
    control.about(SCENARIOS[0].size)
    assert told.line() == "scenario 1 of 2 (1 CPU, 1 task, 1 long, plain events): compiling, 3 s"
    control.about(SCENARIOS[1].size).remaining().report(AT)
    assert told.line() == (
        "scenario 2 of 2 (2 CPUs, 3 tasks, 2 longs, all events): 2,000 states, depth 7, "
        "frontier 300, 1,000 states/s, 64 MiB, 3 s"
    )
    control.about("1 CPU, 1 task, 16 longs")
    assert told.line() == "scenario (1 CPU, 1 task, 16 longs): compiling, 3 s"


def test_another_search_of_a_scenario_is_not_the_next_one() -> None:
    """The search for single steps of a schedule, say, is of the scenario in which it was found."""
    ladder = [Scenario(1, 1, 1, plain_events()), Scenario(1, 2, 1), Scenario(1, 1, 1)]
    told = SearchProgress(lambda: ladder)
    numbers = []
    for size in (ladder[n].size for n in (0, 0, 1, 1, 2, 2, 1)):
        told.begins(size)
        numbers.append(told.number)
    assert numbers == [1, 1, 2, 2, 3, 3, 2]


def test_a_single_scenario_has_no_number() -> None:
    """Where there is only one scenario, it is not counted."""
    told = after(0, SCENARIOS[:1])
    told.begins(SCENARIOS[0].size)
    assert told.line().startswith("scenario (1 CPU, 1 task, 1 long, plain events): ")


def test_other_processes_are_counted() -> None:
    """Of a tree, the processes that search other scenarios are told with their memory."""
    told = SearchProgress(several_processes=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        line = told.line()
        child.communicate(b"\n")
    if not Path("/proc/thread-self/children").exists():
        assert line == "preparing, 0 s"
    else:
        assert "more process" in line
        assert line.endswith(" MiB")


def test_lines_come_from_the_first_second_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there are lines on standard error, at times, and none after the end."""
    monkeypatch.setattr(progress, "_WAITS", (0.01, 0.05))
    with shown(quiet=False) as told:
        time.sleep(0.04)
        assert len(capsys.readouterr().err.splitlines()) == 1
        told.told(AT)
        time.sleep(0.2)
        lines = capsys.readouterr()
        assert lines.out == ""
        assert 1 <= len(lines.err.splitlines()) <= 4
        assert "2,000 states" in lines.err
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_short_search_and_quiet_show_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends within the first second is not told; --quiet shows nothing at all."""
    with shown(quiet=False):
        pass
    monkeypatch.setattr(progress, "_WAITS", (0.001,))
    with shown(quiet=True):
        time.sleep(0.05)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", ["xterm", "dumb"])
def test_a_report_into_a_file_is_complete(tmp_path: Path, terminal: str) -> None:
    """With standard error on a terminal and standard output in a file, the file has the report."""
    leader, follower = pty.openpty()
    file = tmp_path / "report.txt"
    command = "import sys; from iopermit.cli import main; sys.exit(main(['check', 'linux-v2-06']))"
    with file.open("wb") as out:
        started = subprocess.Popen(
            [sys.executable, "-c", command],
            stdout=out,
            stderr=follower,
            env=os.environ | {"TERM": terminal},
        )
        os.close(follower)
        seen = b""
        while started.poll() is None:
            seen += _read(leader)
        seen += _read(leader)
    os.close(leader)
    assert started.returncode == 1
    assert file.read_text().startswith("BUG: port leak in linux-v2-06")
    assert b"BUG" not in seen
    assert (b"\x1b" in seen) == (terminal == "xterm")


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 1 << 16)
    except OSError:  # The other end is closed.
        return b""
