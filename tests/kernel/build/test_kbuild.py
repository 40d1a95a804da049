"""Running make, and understanding what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.kbuild import Kbuild, run
from iopermit.kernel.build.toolchain import Toolchain
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kbuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kbuild:
    """Give a build system whose make is a script, `make.sh`, of the test."""
    for name in ("bin", "source", "build"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/make").write_text(f"#!/bin/sh\n. {tmp_path}/make.sh\n")
    (tmp_path / "bin/make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return Kbuild(tmp_path / "source", tmp_path / "build", Toolchain("cc", ("CC=cc",)))


def script(kbuild: Kbuild, text: str) -> None:
    """Say what make does."""
    (kbuild.source.parent / "make.sh").write_text(text)


def test_a_compiler_error(kbuild: Kbuild) -> None:
    """The message has the tree's paths; the command can be run where the build is kept."""
    source = kbuild.source
    script(
        kbuild,
        f"""cat <<'END'
make[2]: Entering directory
  cc -c -o lib/a.o {source}/lib/a.c ; ./fixdep
  cc -I{source}/include -c -o kernel/b.o {source}/kernel/b.c ; ./fixdep
{source}/kernel/b.c:7:1: error: expected ';'
    7 | }}
make[3]: *** [{source}/scripts/Makefile.build:250: kernel/b.o] Error 1
make: *** [Makefile:9: all] Error 2
END
exit 2
""",
    )
    failure = kbuild.build(["kernel/b.o"])
    assert failure
    assert failure.target == "kernel/b.o"
    assert failure.message == "kernel/b.c:7:1: error: expected ';'\n    7 | }"
    assert failure.command == "cc -I../source/include -c -o kernel/b.o ../source/kernel/b.c"


def test_variables_of_others(kbuild: Kbuild, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree's scripts see neither the variables of other builds nor the secret of the cache."""
    monkeypatch.setenv("KCFLAGS", "-O0")
    monkeypatch.setenv("IOPERMIT_CACHE_KEY", "s" * 32)
    monkeypatch.setenv("IOPERMIT_X", "seen")
    script(kbuild, "echo $KCFLAGS$IOPERMIT_CACHE_KEY$IOPERMIT_X; exit 2\n")
    failure = kbuild.build(["x.o"])
    assert failure
    assert failure.message == "seen"


def test_make_itself_fails(kbuild: Kbuild) -> None:
    """An error without a target shows the last lines and make's own command."""
    script(kbuild, "echo 'Makefile:3: *** missing separator.  Stop.'; exit 2\n")
    failure = kbuild.build(["x.o"])
    assert failure
    assert failure.target == ""
    assert failure.message == "Makefile:3: *** missing separator.  Stop."
    assert failure.command.startswith("make -C ")


def test_a_configuration_without_what_is_needed(kbuild: Kbuild) -> None:
    """A configuration that lacks what the check needs is refused, naming the symbol."""
    lines = "".join(f"CONFIG_{name}=y\\n" for name in ("64BIT", "SMP", "DEBUG_INFO"))
    script(kbuild, f"printf '{lines}' > {kbuild.output}/.config\n")
    failure = kbuild.configure()
    assert failure
    assert "does not allow CONFIG_PREEMPT=y" in failure.message


@pytest.mark.parametrize("reason", ["No space left on device", "Disk quota exceeded"])
def test_no_space(kbuild: Kbuild, reason: str) -> None:
    """A compiler that finds no space ends the build with the place and the remedy."""
    script(kbuild, f"echo 'fatal error: error writing to a.s: {reason}'; exit 2\n")
    with pytest.raises(KernelTreeError, match=r"no space left in .*build; make room"):
        kbuild.build(["x.o"])


def test_the_callers_build_variables_have_no_effect(
    kbuild: Kbuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that change kernel builds do not reach make; others do."""
    for name in ("ARCH", "KCFLAGS", "MAKEFLAGS", "KBUILD_OUTPUT", "O", "CFLAGS", "CONFIG_SMP"):
        monkeypatch.setenv(name, "foreign")
    monkeypatch.setenv("SOMETHING", "mine")
    script(kbuild, "env; exit 2\n")
    failure = kbuild.build([])
    assert failure
    assert "=foreign" not in failure.message
    status, output = run(["env"], {"PATH": os.environ["PATH"]})
    assert (status, output) == (0, f"PATH={os.environ['PATH']}\n")


def test_output_without_an_end(kbuild: Kbuild, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that prints and prints is ended, with one message."""
    monkeypatch.setattr("iopermit.kernel.build.kbuild._MOST_OUTPUT", 100_000)
    script(kbuild, "exec yes\n")
    with pytest.raises(KernelTreeError, match="prints more than"):
        kbuild.build(["x.o"])


def test_what_was_built_is_read_through_no_link(kbuild: Kbuild) -> None:
    """A Makefile that leaves a link or a pipe in place of an object leads nowhere else."""
    (kbuild.source / "secret").write_text("secret")
    (kbuild.output / "x.o").symlink_to(kbuild.source / "secret")
    (kbuild.output / "linked").symlink_to(kbuild.source)
    os.mkfifo(kbuild.output / "pipe.o")
    assert [kbuild.read(path) for path in ("x.o", "linked/secret", "pipe.o")] == [None] * 3
    with pytest.raises(OSError, match=r"."):
        kbuild.forget("linked/secret")
    assert (kbuild.source / "secret").exists()


def test_patches_that_a_path_with_dots_bypasses(kbuild: Kbuild) -> None:
    """An object that includes the old form of a changed file, by a link and `..`, is found out."""
    tree = kbuild.source.parent / "tree"
    (tree / "linked").mkdir(parents=True)
    (tree / "a.h").write_text("old")
    (kbuild.source / "linked").symlink_to(tree / "linked")
    (kbuild.source / "a.h").write_text("new")
    (kbuild.source / "real").mkdir()
    noted = f"deps := {kbuild.source}/x.c {kbuild.source}/%s/../a.h\n"
    for name, result in (("linked", "a.h"), ("real", None)):
        (kbuild.output / ".x.o.cmd").write_text(noted % name)
        assert kbuild.unpatched("x.o", {"a.h"}) == result
    assert kbuild.unpatched("x.o", {"b.h"}) is None


def test_descendants_die_with_an_interrupt(tmp_path: Path) -> None:
    """After Ctrl-C no program of the build runs on."""
    marker = tmp_path / "pid"
    code = (
        "import os\nfrom iopermit.kernel.build.kbuild import run\n"
        f"run(['sh', '-c', 'sleep 60 & echo $! > {marker}; wait'], dict(os.environ))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as process:
        while not (marker.exists() and marker.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) != 0
    state = f"/proc/{int(marker.read_text())}/stat"
    deadline = time.monotonic() + 30
    while os.path.exists(state) and ") Z " not in _read(state):  # noqa: PTH110 - a string is wanted
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _read(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return ") Z "
