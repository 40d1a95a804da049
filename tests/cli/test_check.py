"""Tests of `iopermit check`, from the command line to the exit status."""

import inspect
import json
import signal
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
from tests.support.cli.command import CRASHING, HOLDING, SMALL, run, start

from iopermit.designs import find
from iopermit.report.json import schema

SOURCE = Path(inspect.getfile(find("linux-v2-06"))).read_text("utf-8")
STORE = "            cpu.tss.prev_max = following.io_bitmap_max\n"


def test_design_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    """A design that holds gives its headline and status 0."""
    ran = run(capsys, "check", HOLDING, *SMALL)
    assert ran.status == 0
    assert ran.out.startswith("HOLDS: linux-6.16 under all events (1 CPU, 1 task, 1 long)\n")
    assert "exhausted: every reachable state was visited" in ran.out


def test_leak_of_the_patch_under_review(capsys: pytest.CaptureFixture[str]) -> None:
    """The main job: the leak of V2 06/16, in at most four lines, confirmed, status 1."""
    ran = run(capsys, "check", "linux-v2-06")
    lines = ran.out.splitlines()
    table = lines[lines.index("") + 2 :]
    rows = table[: next(i for i, line in enumerate(table) if line.startswith("       the CPU"))]
    assert ran.status == 1
    assert lines[0] == (
        "BUG: port leak in linux-v2-06: "
        "task B may use ports 192-65535, which only task A was granted"
    )
    assert len(rows) <= 4
    assert any(line.startswith(" confirmed: at full size") for line in lines)


def test_limit_is_undetermined(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit that is reached gives the reason and status 3, not a verdict."""
    ran = run(capsys, "check", HOLDING, "--max-states", "50", "--cpus", "1", "--tasks", "2")
    assert ran.status == 3
    assert ran.out.startswith("UNDETERMINED: linux-6.16")
    assert "limit of 50 states" in " ".join(ran.out.split())


def test_json_keeps_to_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one object of the documented schema and nothing else."""
    for design, status in ((CRASHING, 1), (HOLDING, 0)):
        ran = run(capsys, "check", design, *SMALL, "--json")
        verdict = json.loads(ran.out)
        jsonschema.validate(verdict, schema(), jsonschema.Draft202012Validator)
        assert ran.status == status
        assert verdict["subject"] == design


def test_every_format_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """--save, --sarif and --junit write their files beside the report."""
    files = [tmp_path / name for name in ("x.json", "x.sarif", "x.xml")]
    options = zip(("--save", "--sarif", "--junit"), files, strict=True)
    ran = run(capsys, "check", CRASHING, *SMALL, *(o for pair in options for o in pair))
    assert ran.status == 1
    assert json.loads(files[0].read_text())["violation"]["kind"] == "crash"
    assert json.loads(files[1].read_text())["version"] == "2.1.0"
    assert "<testsuite " in files[2].read_text()
    # A long path is wrapped at the width of the report.
    assert f"replay: iopermit replay {files[0]}" in " ".join(ran.out.split())


def test_sarif_names_files_from_the_repository(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a subdirectory of a git repository, places are relative to the repository's root."""
    design = tmp_path / "designs" / "own.py"
    for folder in (tmp_path / ".git", design.parent, tmp_path / "build"):
        folder.mkdir()
    design.write_text(SOURCE)
    monkeypatch.chdir(tmp_path / "build")
    assert run(capsys, "check", "../designs/own.py", "--sarif", "own.sarif", "-q").status == 1
    (log,) = json.loads(Path("own.sarif").read_text())["runs"]
    (result,) = log["results"]
    (steps,) = result["codeFlows"][0]["threadFlows"]
    uris = {
        place["physicalLocation"]["artifactLocation"]["uri"]
        for place in [*result["locations"], *(step["location"] for step in steps["locations"])]
    }
    assert "designs/own.py" in uris
    assert log["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{tmp_path.resolve().as_uri()}/"


def test_quiet_is_the_headline_only(capsys: pytest.CaptureFixture[str]) -> None:
    """--quiet prints one line and nothing on standard error."""
    ran = run(capsys, "check", CRASHING, *SMALL, "--quiet")
    assert ran.out.startswith("BUG: kernel crash in linux-060aa16f: ")
    assert (len(ran.out.splitlines()), ran.err) == (1, "")


def test_steps_show_sources(capsys: pytest.CaptureFixture[str]) -> None:
    """--steps names file and line of every step of the design."""
    ran = run(capsys, "check", CRASHING, *SMALL, "--steps")
    assert ran.out.count("designs/linux/commit_060aa16f.py:") >= 5


def test_options_reach_the_design(capsys: pytest.CaptureFixture[str]) -> None:
    """--option sets the switch of the design, and the headline says so."""
    ran = run(capsys, "check", "linux-5.5", "--option", "no_iopl_branch", *SMALL)
    assert ran.status == 1
    assert "linux-5.5 --option no_iopl_branch: " in ran.out.splitlines()[0]


@pytest.mark.parametrize(
    "switch",
    [
        "--no-symmetry",
        "--no-merging",
        "--no-counter-renaming",
        "--no-dead-fields",
        "--no-late-arguments",
        "--no-hidden-maps",
    ],
)
def test_reductions_can_be_switched_off(capsys: pytest.CaptureFixture[str], switch: str) -> None:
    """Without a reduction the verdict is the same."""
    assert run(capsys, "check", CRASHING, *SMALL, switch, "-q").status == 1


def test_threads_do_not_change_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """Two threads find the same verdict."""
    assert run(capsys, "check", CRASHING, *SMALL, "--threads", "2", "-q").status == 1


def test_no_colour_when_not_a_terminal() -> None:
    """Output into a pipe has no escape sequences, even if the terminal could show them."""
    process = start("check", CRASHING, *SMALL, TERM="xterm-256color")
    out, err = process.communicate()
    assert process.returncode == 1
    assert "\x1b" not in out + err


def test_closed_pipe_keeps_the_status_of_the_verdict() -> None:
    """A reader that goes away does not change what the exit status says."""
    process = start("check", CRASHING, *SMALL, "-q")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait() == 1
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_interrupt_shows_what_was_covered() -> None:
    """Ctrl-C during a search prints how far it came, and gives status 3."""
    process = start("check", "linux-2.6.8", "--longs", "4", "--tasks", "4")
    assert process.stderr is not None
    assert any("states, depth" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert out.startswith("UNDETERMINED: linux-2.6.8 under all events (2 CPUs, 4 tasks, 4 longs)")
    assert "interrupted" in out
    assert "not exhausted: this says nothing" in out
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_full_disk_loses_no_other_output(tmp_path: Path) -> None:
    """With standard output on a full disk the saved file is still written; status 2."""
    file = tmp_path / "leak.json"
    with Path("/dev/full").open("w") as full:
        process = start("check", CRASHING, *SMALL, "-q", "--save", file, stdout=full.fileno())
        _, err = process.communicate()
    assert process.returncode == 2
    message = "cannot write to standard output: No space left on device"
    assert err == f"iopermit: error: {message} [cannot-write]\n"
    assert json.loads(file.read_text())["verdict"] == "violated"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_full_disk_loses_no_report(capsys: pytest.CaptureFixture[str]) -> None:
    """With the file on a full disk the report is still printed; status 2."""
    ran = run(capsys, "check", CRASHING, *SMALL, "-q", "--save", "/dev/full")
    assert ran.status == 2
    assert ran.out.startswith("BUG: kernel crash")
    assert "cannot write /dev/full: No space left on device" in ran.err


def test_unwritable_file_is_refused_before_the_search(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file in a directory that does not exist is refused at once."""
    ran = run(capsys, "check", "linux-6.16", "--save", tmp_path / "no" / "x.json")
    assert (ran.status, ran.out) == (2, "")
    assert "there is no directory" in ran.err


# Designs of users.


def test_own_file_is_checked_and_replayed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's file is checked as the listed designs are; replay finds it from elsewhere too."""
    (tmp_path / "mine.py").write_text(SOURCE.replace('    id = "linux-v2-06"\n', ""))
    (tmp_path / "elsewhere").mkdir()
    bounds = ("--cpus", "1", "--tasks", "2", "--longs", "2", "--events", "plain")
    monkeypatch.chdir(tmp_path)
    ran = run(capsys, "check", "mine.py", *bounds, "--save", "leak.json")
    assert ran.status == 1
    assert ran.out.startswith("BUG: port leak in LinuxV2Patch06: task B may use ports 192-65535")
    assert " design source: mine.py:" in ran.out
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = run(capsys, "replay", tmp_path / "leak.json")
    assert again.status == 1
    assert again.out.splitlines()[0] == ran.out.splitlines()[0]


@dataclass(frozen=True)
class Mistake:
    """What a user wrote instead of STORE, and what the message must say."""

    code: str
    message: str


@pytest.mark.parametrize(
    "mistake",
    [
        Mistake("try:\n    pass\nfinally:\n    pass", "the design language has no statement"),
        Mistake("while True:\n    pass", "an unbounded loop"),
        Mistake("cpu.tss.prev_max = 'many'", "the design language has no Constant"),
        Mistake("cpu.tss.prev_mx = 0", "tss has no field 'prev_mx'"),
        Mistake("cpu.tss.prev_max = folowing.io_bitmap_max", "'folowing' has no value here"),
        Mistake("self.switch_to(cpu, previous, following)", "switch_to() calls itself"),
        Mistake("def broken(:", "not valid Python: "),
        Mistake("import os", "the design language has no statement"),
    ],
    ids=lambda mistake: mistake.code.split("\n")[0],
)
def test_mistake_in_a_design_is_shown_as_by_a_compiler(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, mistake: Mistake
) -> None:
    """A mistake gives file, line, column, the line, a caret and a remedy; status 2."""
    indented = "".join(f"            {line}\n" for line in mistake.code.split("\n"))
    file = tmp_path / "mine.py"
    file.write_text(SOURCE.replace(STORE, indented))
    line = SOURCE[: SOURCE.index(STORE)].count("\n") + 1
    ran = run(capsys, "check", file, *SMALL)
    first, code, caret, *rest = ran.err.splitlines()
    assert (ran.status, ran.out) == (2, "")
    assert first.startswith(f"{file}:{line}:")
    assert f": error: {mistake.message}" in first
    assert code.strip() == mistake.code.split("\n")[0]
    assert caret.strip() == "^"
    assert rest


def test_design_without_a_method(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file whose class lacks a mandatory method is refused through the command line too."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from iopermit.system.design import Design\n\n\nclass Mine(Design):\n    pass\n"
    )
    ran = run(capsys, "check", file)
    assert ran.status == 2
    assert ran.err.startswith(f"{file}:4:1: error: Mine lacks the method ioperm [bad-design]\n")


@pytest.mark.parametrize(
    ("form", "start"), [("mail", "Subject: [iopermit] BUG"), ("markdown", "### BUG")]
)
def test_reports_to_forward(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, start: str
) -> None:
    """--format of check and replay writes a mail or a comment, with the command as it was given."""
    file = tmp_path / "crash.json"
    ran = run(capsys, "check", CRASHING, *SMALL, "--save", file, "--format", form)
    assert ran.status == 1
    assert ran.out.startswith(start)
    assert f"iopermit check {CRASHING} --cpus 1" in " ".join(ran.out.split())
    again = run(capsys, "replay", file, "--format", form)
    assert (again.status, again.out.splitlines()[0]) == (1, ran.out.splitlines()[0])


def test_a_format_that_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown format, or one together with --json or --steps, is refused."""
    ran = run(capsys, "check", CRASHING, *SMALL, "--format", "fax")
    assert (ran.status, "choose from text, mail, markdown" in ran.err) == (2, True)
    for other in ("--json", "--steps"):
        ran = run(capsys, "check", CRASHING, *SMALL, "--format", "mail", other)
        assert (ran.status, "--format excludes" in ran.err) == (2, True)
