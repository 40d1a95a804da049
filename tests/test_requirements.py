"""Tests of what finds external programs for tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.kernel import mails, trees
from tests.support.kernel.made_trees import make_tree

ABSENT = "iopermit-no-such-program"


def test_present_program_is_found(require: Callable[[str], Path]) -> None:
    """A program on the PATH is returned as a path to an existing file."""
    assert require("sh").is_file()


def test_absent_program_skips(
    require: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An absent program skips the test, and the reason names the program."""
    monkeypatch.delenv("IOPERMIT_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        require(ABSENT)


def test_absent_program_fails_when_all_are_required(
    require: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With IOPERMIT_REQUIRE_ALL=1 an absent program fails the test."""
    monkeypatch.setenv("IOPERMIT_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=ABSENT):
        require(ABSENT)


@pytest.mark.parametrize("required", ["0", "1"])
def test_trees_of_kernel_org_are_never_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, required: str
) -> None:
    """Without a directory of trees, or the tree in it, a test skips and names the variable."""
    monkeypatch.setenv("IOPERMIT_REQUIRE_ALL", required)
    monkeypatch.setattr(trees, "require_tool", Path)
    monkeypatch.delenv("IOPERMIT_KERNEL_TREES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="IOPERMIT_KERNEL_TREES"):
        trees.vanilla_tree("5.4")
    make_tree(tmp_path / "some", (5, 40, 1))
    monkeypatch.setenv("IOPERMIT_KERNEL_TREES", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"5\.4 in"):
        trees.vanilla_tree("5.4")


def test_a_tree_of_kernel_org_is_found_by_its_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The name of the directory does not matter, and what is no kernel is passed over."""
    monkeypatch.setattr(trees, "require_tool", Path)
    monkeypatch.setenv("IOPERMIT_KERNEL_TREES", str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a/Makefile").write_text("all:\n")
    wanted = make_tree(tmp_path / "b", (5, 4, 59))
    assert trees.vanilla_tree("5.4") == wanted


def test_a_tree_that_a_kernel_is_made_of_is_a_whole_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What has no driver of a console is passed over for a kernel that boots, not for a check."""
    monkeypatch.setattr(trees, "require_tool", Path)
    monkeypatch.setenv("IOPERMIT_KERNEL_TREES", str(tmp_path))
    parts = make_tree(tmp_path / "a", (5, 4, 59))
    with pytest.raises(pytest.skip.Exception, match=r"a whole tree of Linux 5\.4"):
        trees.vanilla_tree("5.4", whole=True)
    whole = make_tree(tmp_path / "b", (5, 4, 49))
    console = whole / "drivers/tty/serial/8250/8250_core.c"
    console.parent.mkdir(parents=True)
    console.write_text("")
    assert trees.vanilla_tree("5.4", whole=True) == whole
    assert trees.vanilla_tree("5.4") == parts


def test_kernels_of_suites_that_move_on_are_never_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without its package a newer kernel skips; one of an old suite fails if all is required."""
    monkeypatch.setenv("IOPERMIT_REQUIRE_ALL", "1")
    monkeypatch.setenv("IOPERMIT_PACKAGES", str(tmp_path))
    monkeypatch.setattr(trees, "require_tool", Path)
    monkeypatch.setattr(trees, "_TARBALLS", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=f"linux-source-{trees.NEWER[0]}"):
        trees.require_tree(trees.NEWER[0])
    with pytest.raises(pytest.fail.Exception, match=r"linux-source-5\.10"):
        trees.require_tree("5.10")


def mail(number: int, identity: str = "") -> bytes:
    """Return a mail of the series of November 2019, with a text of its own."""
    identity = identity or f"2019111122305{number // 8 + 1}.0000000{number:02}@linutronix.de"
    subject = f"[patch V2 {number:02}/16] x86/ioperm: something"
    return f"Message-Id: <{identity}>\nSubject: {subject}\n\nNumber {number}.\n".encode()


@pytest.mark.parametrize("required", ["0", "1"])
def test_mails_of_a_series_are_never_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, required: str
) -> None:
    """Without a directory of mails, or one of them, a test skips and names what is missing."""
    monkeypatch.setenv("IOPERMIT_REQUIRE_ALL", required)
    monkeypatch.delenv("IOPERMIT_MAILS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="IOPERMIT_MAILS"):
        mails.series_of_2019(tmp_path)
    monkeypatch.setenv("IOPERMIT_MAILS", str(tmp_path))
    for number in range(17):
        (tmp_path / f"{number}.eml").write_bytes(mail(number) if number != 6 else b"")
    with pytest.raises(pytest.skip.Exception, match="patches 6 of 16"):
        mails.series_of_2019(tmp_path)


def test_mails_of_a_series_are_found_by_their_message_ids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Alone or in a mailbox; other versions, the cover letter and replies are not taken."""
    (tmp_path / "mails/a folder").mkdir(parents=True)
    monkeypatch.setenv("IOPERMIT_MAILS", str(tmp_path / "mails"))
    wanted = [mail(number) for number in range(1, 17)]
    others = [mail(0), mail(6, "20191113210104.683535229@linutronix.de"), mail(7, "a reply@b")]
    for name, one in zip("abc", others, strict=True):
        (tmp_path / f"mails/{name}.eml").write_bytes(one)
        (tmp_path / f"mails/z{name}.eml").write_bytes(one)
    separate = [tmp_path / f"mails/d{number}.eml" for number in range(2)]
    for path, one in zip(separate, wanted, strict=False):
        path.write_bytes(one)
    box = b"".join(b"From somebody\n" + one + b"\n" for one in wanted[2:])
    (tmp_path / "mails/series.mbx").write_bytes(box)
    found = mails.series_of_2019(tmp_path)
    assert [path.read_bytes() for path in found] == wanted


def test_a_mailbox_of_a_series_has_all_its_mails(tmp_path: Path) -> None:
    """02/16 as it was merged gets the number in its subject that it was posted with."""
    merged = mail(2, "157385235063.12247.13335840019032998507.tip-bot2@tip-bot2")
    merged = merged.replace(b"[patch V2 02/16]", b"[tip: x86/iopl]")
    paths = [tmp_path / "1.eml", tmp_path / "2.eml"]
    for path, one in zip(paths, (mail(1), merged), strict=True):
        path.write_bytes(one)
    text = mails.as_mailbox(paths, tmp_path / "box").read_bytes()
    assert text.count(b"From somebody") == len(paths)
    assert text.count(b"[patch V2 0") == len(paths)
