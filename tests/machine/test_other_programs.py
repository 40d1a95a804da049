"""Programs of Debian and of the Linux Test Project, unmodified, on what the machine has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.packages import unpacked
from tests.support.machine.public import public_folder
from tests.support.machine.running import iopermit_run
from tests.support.requirements import require_tool, skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

ASYNC = """
import asyncio, os, socket, tempfile
async def main():
    await asyncio.sleep(0.1)
    print(await asyncio.get_running_loop().run_in_executor(None, lambda: 42))
    child = await asyncio.create_subprocess_exec("/bin/echo", "child", stdout=-1)
    print((await child.communicate())[0])
asyncio.run(main())
with tempfile.NamedTemporaryFile() as file:
    file.write(bytes(5000)); file.flush()
    print(os.stat(file.name).st_size)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder that every program may search."""
    with public_folder() as made:
        yield made


def package(folder: Path, *names: str) -> Path:
    """Return a folder with the files of packages."""
    place = folder / names[0]
    if not place.exists():
        shutil.copytree(unpacked(*names), place, symlinks=True)
    return place


def test_a_shell_script_with_its_interpreter_and_files(folder: Path) -> None:
    """A script is executed by its first line, pipes, makes files, traps signals, and sleeps."""
    script = folder / "script"
    script.write_text(
        "#!/bin/bash -e\n"
        'echo "$0 $1"; for i in 1 2 3; do echo $((i*i)); done | sort -r; cat <<< here\n'
        "echo x > /tmp/f; cat /tmp/f; sleep 2; trap 'echo trapped' USR1; kill -USR1 $$; exit 7\n"
    )
    script.chmod(0o755)
    ran = iopermit_run(script, "one")
    assert ran.output == f"{script} one\n9\n4\n1\nhere\nx\ntrapped\n"
    assert (ran.errors, ran.status) == ("", 7)


def test_perl() -> None:
    """Perl writes a file, reads its size, and runs a program."""
    require_tool("perl")
    code = (
        'open F, ">/tmp/z"; print F "abc"; close F; print -s "/tmp/z", "\\n"; system("cat /tmp/z")'
    )
    ran = iopermit_run("/usr/bin/perl", "-e", code)
    assert (ran.output, ran.errors, ran.status) == ("3\nabc", "", 0)


def test_python_with_asyncio() -> None:
    """Python's event loop runs on epoll, eventfd or socket pairs, with threads and children."""
    if not Path("/usr/bin/python3").exists():
        skip_or_fail("needs /usr/bin/python3")
    ran = iopermit_run("--timeout", "300", "/usr/bin/python3", "-S", "-c", ASYNC)
    assert (ran.output, ran.errors, ran.status) == ("42\nb'child\\n'\n5000\n", "", 0)


def test_a_go_program(folder: Path) -> None:
    """Debian's age, which is written in Go, makes a key: its threads and its poller work."""
    age = package(folder, "age") / "usr/bin/age-keygen"
    ran = iopermit_run("--timeout", "300", age)
    assert "AGE-SECRET-KEY-1" in ran.output
    assert ran.status == 0


def test_busybox_and_its_applets(folder: Path) -> None:
    """Busybox executes itself, by /proc/self/exe, as other programs."""
    busybox = package(folder, "busybox-static") / "bin/busybox"
    script = f"{busybox} echo a | {busybox} sed s/a/b/; mkdir /tmp/d; stat -c %a /tmp/d"
    ran = iopermit_run(busybox, "sh", "-c", script)
    assert (ran.output, ran.errors, ran.status) == ("b\n755\n", "", 0)


def test_dmidecode_reads_the_tables(folder: Path) -> None:
    """Dmidecode finds the SMBIOS tables in /dev/mem and has no complaint about them."""
    dmidecode = package(folder, "dmidecode") / "usr/sbin/dmidecode"
    ran = iopermit_run(dmidecode)
    assert "SMBIOS 2.8 present." in ran.output
    assert "Product Name: PC with an I/O permission bitmap" in ran.output
    assert "TRUNCATED" not in ran.output.upper()
    assert (ran.errors, ran.status) == ("", 0)


def test_stress_ng_ioport(folder: Path, tmp_path: Path) -> None:
    """stress-ng's I/O port stressor does its operations on the design, and ends well."""
    names = ("stress-ng", "libapparmor1", "libbsd0", "libegl1", "libgbm1", "libgles2",
             "libipsec-mb1", "libjpeg62-turbo", "libjudydebian1", "libsctp1", "libxxhash0",
             "libkmod2")  # fmt: skip
    files = package(folder, *names)
    libraries = {"LD_LIBRARY_PATH": f"{files}/usr/lib/x86_64-linux-gnu"}
    log = tmp_path / "log"
    words = ("--temp-path", "/tmp", "--ioport", "1", "--ioport-ops", "3")
    ran = iopermit_run(
        "--timeout", "300", "--io-log", log, files / "usr/bin/stress-ng", *words,
        environment=libraries,
    )  # fmt: skip
    assert "successful run completed" in ran.output + ran.errors
    assert ran.status == 0
    assert len(log.read_text().splitlines()) > 50


@pytest.mark.parametrize("name", ["ioperm01", "ioperm02", "iopl01", "iopl02"])
def test_linux_test_project(name: str) -> None:
    """LTP's tests of ioperm and iopl pass; $IOPERMIT_LTP names a built tree of it."""
    built = os.environ.get("IOPERMIT_LTP")
    if built is None:
        pytest.skip("needs a built tree of the Linux Test Project, named by IOPERMIT_LTP")
    with public_folder() as made:
        test = made / name
        shutil.copy(Path(built, "testcases/kernel/syscalls", name[:-2], name), test)
        ran = iopermit_run("--timeout", "300", test)
    assert "failed   0" in ran.output + ran.errors
    assert "broken   0" in ran.output + ran.errors
    assert "TPASS" in ran.output + ran.errors
    assert ran.status == 0
