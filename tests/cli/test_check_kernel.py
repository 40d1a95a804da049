"""Tests of `iopermit check --kernel`: patches, trees and builds that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import signal
from email.message import EmailMessage
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from tests.support.cli.command import run, start
from tests.support.kernel.faults import FAULTS, HARMLESS, REPAIR, unified_diff
from tests.support.kernel.made_trees import make_tree
from tests.support.kernel.trees import require_tree, unchanged
from tests.support.requirements import require_sandbox, shared_cache

from iopermit.cli.kernel import TreeRequest, scenarios
from iopermit.kernel import verdict_cache
from iopermit.kernel.check import examine_tree
from iopermit.system.events import all_events

if TYPE_CHECKING:
    from pathlib import Path

BOUNDS = ("--events", "ioperm,exit", "--cpus", "1", "--tasks", "2", "--longs", "1")
FAULT = FAULTS["switch-out"]
NEW = ("--fail-on", "introduced")


@pytest.fixture
def tree(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a kernel tree, with the tests' shared builds as the user's cache."""
    path = require_tree("6.12")
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    return path


def as_mail(diff: str) -> bytes:
    """Return a patch as a mailing list's archive gives it: quoted-printable, CR LF."""
    message = EmailMessage()
    message["From"] = "A Hacker <hacker@example.org>"
    message["Subject"] = "[PATCH] x86/ioperm: =?utf-8?q?na=C3=AFve?= change"
    message["Message-ID"] = "<20260101000000.1-1-hacker@example.org>"
    text = f"Schneller.\n\nSigned-off-by: Jörg\n---\n x | 2 +-\n\n{diff}-- \n2.47.0\n"
    message.set_content(text, cte="quoted-printable")
    return b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + bytes(message).replace(b"\n", b"\r\n")


def as_format_patch(diff: str) -> bytes:
    """Return a patch as `git format-patch` writes it."""
    head = (
        "From 1234567890123456789012345678901234567890 Mon Sep 17 00:00:00 2001\n"
        "From: A Hacker <hacker@example.org>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n"
        "Subject: [PATCH] x86/ioperm: change\n\nFaster.\n---\n x | 2 +-\n\n"
    )
    return f"{head}{diff}-- \n2.47.0\n\n".encode()


@pytest.mark.parametrize("form", [as_mail, as_format_patch])
def test_a_patch_in_a_mail_is_judged(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: object
) -> None:
    """A planted leak is found in a patch in either form, with the tree left as it was."""
    assert callable(form)
    patch = tmp_path / "patch.eml"
    patch.write_bytes(form(unified_diff(tree, REPAIR, FAULT)))
    with unchanged(tree):
        ran = run(capsys, "check", "--kernel", tree, "--patch", patch, *BOUNDS)
    assert ran.status == 1
    assert ran.out.startswith(f"BUG: port leak in {tree.name}, introduced by this patch: task ")


def test_a_memory_limit_ends_the_search(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--max-memory counts for trees as for designs: undetermined, with status 3."""
    ran = run(capsys, "check", "--kernel", tree, *BOUNDS, "--max-memory", "4K")
    assert ran.status == 3
    assert "the memory limit was reached" in ran.out


def test_patches_are_applied_in_order(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the fault's repair behind the fault, nothing is found."""
    fault, repair = tmp_path / "1.patch", tmp_path / "2.patch"
    fault.write_text(unified_diff(tree, FAULT))
    forward = fault.read_text().splitlines(keepends=True)
    swapped = {"-": "+", "+": "-"}
    repair.write_text(
        "".join(
            line
            if line.startswith(("---", "+++", "@@"))
            else swapped.get(line[0], line[0]) + line[1:]
            for line in forward[1:]
        )
    )
    ran = run(capsys, "check", "--kernel", tree, "--patch", fault, "--patch", repair, *BOUNDS)
    assert (ran.status, ran.out.split(":")[0]) == (0, "HOLDS")
    assert ", and without these patches" in " ".join(ran.out.split())


PREEMPTED = ("--events", "ioperm,preempt", "--cpus", "1", "--tasks", "2", "--longs", "1")


def test_a_leak_that_was_there_is_not_the_patch(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A harmless patch has status 1, or 0 if only what it brings counts; a planted leak has 1."""
    search = Mock(wraps=examine_tree)
    monkeypatch.setattr(verdict_cache, "examine_tree", search)
    harmless, fault = tmp_path / "harmless.patch", tmp_path / "fault.patch"
    harmless.write_text(unified_diff(tree, HARMLESS["reordered"]))
    fault.write_text(unified_diff(tree, FAULT))
    check = ("check", "--kernel", tree, *PREEMPTED, "--json", "--patch")
    found = []
    for patch, *more in ((harmless,), (harmless, *NEW), (fault, *NEW)):
        ran = run(capsys, *check, patch, *more)
        kernel = json.loads(ran.out)["kernel"]["without_patches"]
        found.append((ran.status, kernel["origin"], kernel["every"]))
    assert found == [
        (1, "already there", False),
        (0, "already there", True),
        (1, "introduced", True),
    ]
    # Once for the nearest fault without the patch and once for all, unless an earlier run did.
    assert search.call_count <= 2


def test_what_counts_is_refused_where_it_means_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--fail-on needs a patch, and is one of two words."""
    ran = run(capsys, "check", "--kernel", tree, *NEW)
    assert (ran.status, ran.err) == (
        2,
        "iopermit: error: --fail-on needs --patch FILE [bad-usage]\n",
    )
    ran = run(capsys, "check", "--kernel", tree, "--fail-on", "leak")
    assert (ran.status, "choose from violated, introduced" in ran.err) == (2, True)


def test_a_patch_that_does_not_apply(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused with the hunk and the line in the way; the tree is left as it was."""
    patch = tmp_path / "old.patch"
    patch.write_text(unified_diff(tree, REPAIR).replace("TIF_IO_BITMAP", "TIF_OLD"))
    with unchanged(tree):
        ran = run(capsys, "check", "--kernel", tree, "--patch", patch, *BOUNDS)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(
        f"iopermit: error: {patch}, line 4: the patch does not apply: {REPAIR.path}, "
        "hunk 1 of 1 (@@"
    )
    assert "expected: \t\tset_tsk_thread_flag(tsk, TIF_OLD);" in ran.err
    assert "found:    \t\tset_tsk_thread_flag(tsk, TIF_IO_BITMAP);" in ran.err


def test_an_interrupted_check(tree: Path, tmp_path: Path) -> None:
    """Ctrl-C while the tree is built ends without a verdict, and leaves the tree as it was."""
    with unchanged(tree):
        process = start("check", "--kernel", tree, XDG_CACHE_HOME=str(tmp_path))
        assert process.stderr
        for line in process.stderr:
            if "configuring" in line:
                process.send_signal(signal.SIGINT)
                break
        assert process.wait(timeout=60) == 3
        process.stderr.close()
        assert process.stdout
        assert process.stdout.read() == ""
        process.stdout.close()


@pytest.mark.parametrize(
    ("version", "x86", "reason"),
    [
        ((4, 19, 0), "64BIT", "too old"),
        ((6, 12, 0), "X86_32", "can only be built for x86-32"),
    ],
)
def test_trees_that_cannot_be_checked(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, int, int],
    x86: str,
    reason: str,
) -> None:
    """A tree that is too old, or for x86-32 only, is one message and status 2."""
    ran = run(capsys, "check", "--kernel", make_tree(tmp_path, version, x86=x86))
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"iopermit: error: {tmp_path} ")
    assert reason in ran.err


def test_what_is_no_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory without a kernel, and a missing one, are one message and status 2."""
    for path, reason in (
        (tmp_path, "is not a Linux kernel"),
        (tmp_path / "x", "no such directory"),
    ):
        ran = run(capsys, "check", "--kernel", path)
        assert (ran.status, ran.out) == (2, "")
        assert reason in ran.err


@pytest.mark.parametrize("name", ["gcc", "flex", "bison", "make"])
def test_a_missing_program(
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    """Each program that a build needs is named if it is missing, with the package that has it."""
    for program in ("gcc", "ld", "as", "make", "flex", "bison", "bc"):
        if program != name:
            (tmp_path / program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = run(capsys, "check", "--kernel", tree)
    assert (ran.status, ran.out) == (2, "")
    assert f"needs {name}, not found on the PATH" in ran.err
    assert f"apt-get install {name}" in ran.err


def test_options_that_need_a_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    """--patch, --keep-build, --sandbox and the reference mode without --kernel are refused."""
    for options in (
        *((option, os.devnull) for option in ("--patch", "--keep-build", "--sandbox")),
        ("--every-access",),
        ("--max-depth", "2"),
    ):
        ran = run(capsys, "check", "linux-6.16", *options)
        assert ran.status == 2
        assert "need --kernel TREE" in " ".join(ran.err.split())


def test_taking_back_needs_a_patch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--reverse by itself is refused, with a tree and without."""
    for words, wanted in (
        (("--kernel", tmp_path), "--reverse needs --patch FILE"),
        (("linux-6.16",), "need --kernel TREE"),
    ):
        ran = run(capsys, "check", *words, "--reverse")
        assert (ran.status, ran.out) == (2, "")
        assert wanted in ran.err


def test_a_choice_that_there_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--sandbox takes three words; another one is refused with these."""
    for verb in (("check",), ("cost",)):
        ran = run(capsys, *verb, "--kernel", tmp_path, "--sandbox", "maybe")
        assert (ran.status, ran.out) == (2, "")
        assert "--sandbox maybe: choose from auto, on, off" in ran.err


def test_damaged_input_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that are none, zero bytes, pipes and links are one message each, and no traceback."""
    tree = make_tree(tmp_path / "tree")
    (tree / "linked").symlink_to(tmp_path)
    (tmp_path / "p.c").write_text("a\n")
    patches = {
        "damaged header of a hunk": "--- a/Kbuild\n+++ b/Kbuild\n@@ -1 +" + "1" * 5000 + " @@\n",
        "has a control character": "--- a/Kb\0uild\n+++ b/Kb\0uild\n@@ -1 +1 @@\n-a\n+b\n",
        "is a symbolic link": "--- a/linked/p.c\n+++ b/linked/p.c\n@@ -1 +1 @@\n-a\n+b\n",
    }
    for reason, text in patches.items():
        (tmp_path / "p.patch").write_text(text)
        ran = run(capsys, "check", "--kernel", tree, "--patch", tmp_path / "p.patch")
        assert (ran.status, ran.out) == (2, "")
        assert f"iopermit: error: {tmp_path}/p.patch, line " in ran.err
        assert reason in ran.err
    assert (tmp_path / "p.c").read_text() == "a\n"
    (tree / "Makefile").write_text("VERSION = six\nPATCHLEVEL = 1\n")
    ran = run(capsys, "check", "--kernel", tree)
    assert (ran.status, "VERSION = six, which is no number" in ran.err) == (2, True)
    (tree / "Makefile").unlink()
    os.mkfifo(tree / "Makefile")
    ran = run(capsys, "check", "--kernel", tree)
    assert (ran.status, "Makefile is not a regular file" in ran.err) == (2, True)


def test_json_says_whether_a_tree_was_built_in_a_sandbox(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What counts is how the code was built that the verdict is about, now or earlier."""
    require_sandbox()
    for choice, found in (("on", True), ("auto", True)):
        ran = run(capsys, "check", "--kernel", tree, "--sandbox", choice, "--json", *BOUNDS)
        assert json.loads(ran.out)["kernel"]["sandboxed"] is found
    cost = run(capsys, "cost", "--kernel", tree, "--sandbox", "on", "--json")
    assert [one["sandboxed"] for one in json.loads(cost.out)["trees"]] == [True]


def test_a_configuration_is_one_of_a_few(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Others are refused, and so is preemption in a kernel that has none, and one for a design."""
    ran = run(capsys, "check", "--kernel", tree, "--config", "server")
    assert (ran.status, "choose from full, rt, lazy, voluntary, none, xen" in ran.err) == (2, True)
    asked = ("--config", "none", "--events", "ioperm,preempt")
    ran = run(capsys, "check", "--kernel", tree, *asked)
    assert (ran.status, "cannot be preempted" in ran.err) == (2, True)
    ran = run(capsys, "check", "linux-5.4", "--config", "none")
    assert (ran.status, "need --kernel TREE" in ran.err) == (2, True)


def test_a_xen_guest_has_no_vm_exits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The event is refused if it is named, and left out otherwise; `preempt` is not."""
    tree = make_tree(tmp_path / "linux")
    asked = ("check", "--kernel", tree, "--config", "xen", "--events")
    ran = run(capsys, *asked, "ioperm, vm-exit")
    assert (ran.status, "runs no virtual machine; leave out the event vm-exit" in ran.err) == (
        2,
        True,
    )
    found = scenarios(TreeRequest(tree, events=["all"], config="xen"))
    assert {event.name for event in all_events()} - {
        event.name for one in found for event in one.events
    } == {"vm-exit"}


def test_a_tree_is_checked_in_a_configuration(
    tree: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The report names it, without the event, and a saved violation is replayed in it."""
    ran = run(capsys, "check", "--kernel", tree, "--config", "none", *BOUNDS)
    assert ran.status == 0
    assert "--config none" in ran.out
    saved = tmp_path / "saved.json"
    events = ("--events", "ioperm,preempt", "--cpus", "1")
    ran = run(capsys, "check", "--kernel", tree, "--config", "rt", *events, "--save", saved)
    assert ran.status == 1
    assert json.loads(saved.read_text())["kernel"]["configuration"] == "rt"
    assert run(capsys, "replay", saved).status == 1
