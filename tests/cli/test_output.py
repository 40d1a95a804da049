"""Tests of iopermit.cli.output: whole files or none, and a message on a full disk."""

import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli.command import start

from iopermit.cli.output import OutputError, check_writable, complain, print_result, write_file

FULL = Path("/dev/full")
needs_dev_full = pytest.mark.skipif(not FULL.exists(), reason="needs the device /dev/full")


def test_file_is_written_whole(tmp_path: Path) -> None:
    """A new file has the text, ordinary permissions, and no temporary file beside it."""
    file = tmp_path / "out.json"
    write_file(file, "text\n")
    assert file.read_text() == "text\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]
    (tmp_path / "other").touch()
    assert file.stat().st_mode == (tmp_path / "other").stat().st_mode


def test_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """A file that is replaced keeps its permissions."""
    file = tmp_path / "out.json"
    file.touch(mode=0o600)
    write_file(file, "text")
    assert file.stat().st_mode & 0o777 == 0o600


def test_link_stays_a_link(tmp_path: Path) -> None:
    """Writing through a symbolic link changes the file that it leads to."""
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "text"


def test_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """If the disk is full half-way, the old content is still there, and no temporary file."""
    file = tmp_path / "out.json"
    file.write_text("old")
    code = (
        "import resource, sys, pathlib\n"
        "from iopermit.cli.output import OutputError, write_file\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n"
        "    write_file(pathlib.Path(sys.argv[1]), 'x' * 1000)\n"
        "except OutputError as error:\n"
        "    sys.exit(str(error))\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    process = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False
    )
    assert process.stderr == f"cannot write {file}: File too large; nothing was changed\n"
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@needs_dev_full
def test_full_device_is_told() -> None:
    """A device that is full gives a message with the system's reason."""
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device"):
        write_file(FULL, "text")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "it is a directory"), ("no/such/file", "there is no directory")],
)
def test_hopeless_file_is_refused_beforehand(tmp_path: Path, name: str, reason: str) -> None:
    """What cannot be written is refused before the work starts."""
    with pytest.raises(OutputError, match=reason):
        check_writable(tmp_path / name)


def test_forbidden_directory_is_refused_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory without permission to write is refused (root may write everywhere)."""
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="permission denied"):
        check_writable(tmp_path / "out.json")


def test_possible_file_is_accepted(tmp_path: Path) -> None:
    """A new file, an old file and a device can be written."""
    (tmp_path / "old").touch()
    for file in (tmp_path / "new", tmp_path / "old", Path("/dev/null")):
        check_writable(file)
        write_file(file, "text")
    assert (tmp_path / "new").read_text() == "text"


@needs_dev_full
def test_full_standard_output_is_told() -> None:
    """A full disk under standard output gives one message, status 2 and no traceback."""
    with FULL.open("w") as full:
        process = start("list", stdout=full.fileno())
        _, err = process.communicate()
    assert process.returncode == 2
    message = "cannot write to standard output: No space left on device"
    assert err == f"iopermit: error: {message} [cannot-write]\n"


@needs_dev_full
def test_help_on_a_full_disk_is_told() -> None:
    """The help text on a full disk gives one message too."""
    with FULL.open("w") as full:
        process = start("--help", stdout=full.fileno())
        _, err = process.communicate()
    assert process.returncode == 2
    assert err.startswith("iopermit: error: cannot write")
    assert len(err.splitlines()) == 1


def test_reader_that_goes_away_is_no_error() -> None:
    """A closed pipe (| head) ends the command quietly, with the status of its verdict."""
    process = start("list")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (0, "")


def test_message_that_cannot_be_written_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed standard error does not end the command."""

    class Closed(io.StringIO):
        attempts = 0

        def write(self, _: str) -> int:
            self.attempts += 1
            raise OSError

    closed = Closed()
    monkeypatch.setattr(sys, "stderr", closed)
    complain("lost")
    assert closed.attempts == 1


def test_result_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """A result is printed as it is."""
    print_result("one\ntwo\n")
    assert capsys.readouterr() == ("one\ntwo\n", "")
