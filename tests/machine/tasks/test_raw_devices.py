"""/dev/port, /dev/mem and /dev/nvram, as a program uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.machine.cache import cached, compiled
from tests.support.machine.running import iopermit_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machine.running import Ran


def run(name: str, code: str, *options: str | Path) -> Ran:
    """Run a static program with a main function of `code`."""
    heads = ("errno", "fcntl", "stdio", "string", "unistd", "sys/mman")
    source = "".join(f"#include <{head}.h>\n" for head in heads)
    source += f"int main(void)\n{{\nchar b[256] = {{0}};\n{code}\n}}\n"

    def write(folder: Path) -> None:
        (folder / f"{name}.c").write_text(source)

    made = cached(f"source-{name}", [source], write) / f"{name}.c"
    return iopermit_run(*options, compiled(made, "-static"))


def test_ports_are_reached_past_the_bitmap(tmp_path: Path) -> None:
    """A byte at an offset of /dev/port is that port, without ioperm; the log says how."""
    log, summary = tmp_path / "log", tmp_path / "json"
    code = """int f = open("/dev/port", O_RDWR);
        pwrite(f, "\\x42", 1, 0x80);
        pread(f, b, 1, 0x80);
        lseek(f, 0xe9, SEEK_SET);
        write(f, "X", 1);
        printf("%x ", b[0]);
        printf("%d\\n", (int)pread(f, b, 16, 65530));
        return lseek(f, 0, SEEK_END) >= 0;"""
    ran = run("dev-port", code, "--io-log", log, "--json", summary, "--serial", tmp_path / "out")
    assert (ran.output, ran.errors, ran.status) == ("42 6\n", "", 0)
    assert (tmp_path / "out").read_bytes() == b"X"
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(r["direction"], r["port"], r["value"]) for r in records[:3]] == [
        ("out", 0x80, 0x42), ("in", 0x80, 0x42), ("out", 0xE9, ord("X")),
    ]  # fmt: skip
    assert {record["via"] for record in records} == {"/dev/port"}
    assert json.loads(summary.read_text())["leaks"] == 0


def test_the_first_megabyte_has_a_firmware() -> None:
    """/dev/mem shows VGA BIOS, ACPI and SMBIOS by their signatures, and refuses the rest."""
    code = """int f = open("/dev/mem", O_RDONLY);
        unsigned char *m = mmap(0, 1 << 18, PROT_READ, MAP_SHARED, f, 0xC0000), sum = 0;
        for (int i = 0; i < m[2] * 512; i++) sum += m[i];
        pread(f, b, 8, 0xE0000);
        printf("%02x%02x %d %.8s %.4s\\n", m[0], m[1], sum, b, m + 0x30000);
        printf("%d ", (int)pread(f, b, 8, 1 << 20));
        printf("%s ", strerror(errno));
        printf("%d\\n", mmap(0, 1 << 18, PROT_READ, MAP_SHARED, f, 1 << 20) == MAP_FAILED);
        return open("/dev/mem", O_RDWR) >= 0 && pwrite(f, "x", 1, 0) >= 0;"""
    ran = run("dev-mem", code)
    assert ran.output == "55aa 0 RSD PTR  _SM_\n-1 Operation not permitted 1\n"
    assert (ran.errors, ran.status) == ("", 0)


def test_nvram_is_the_memory_of_the_clock_chip() -> None:
    """/dev/nvram has 114 bytes; what is stored there is read through the ports of the chip."""
    code = """int f = open("/dev/nvram", O_RDWR), p = open("/dev/port", O_RDWR);
        printf("%d ", (int)read(f, b, 256));
        pwrite(f, "\\x5a", 1, 50);
        pwrite(p, "\\x40", 1, 0x70);
        pread(p, b, 1, 0x71);
        printf("%x %d\\n", b[0], (int)lseek(f, 0, SEEK_END));
        return 0;"""
    ran = run("dev-nvram", code)
    assert (ran.output, ran.status) == ("114 5a 114\n", 0)


def test_an_ordinary_user_has_none_of_them() -> None:
    """Without root's rights every one is refused."""
    code = """const char *n[] = {"/dev/port", "/dev/mem", "/dev/nvram"};
        for (int i = 0; i < 3; i++) printf("%d ", open(n[i], O_RDONLY));
        return 0;"""
    ran = run("dev-user", code, "--user")
    assert ran.output == "-1 -1 -1 "


def test_low_memory_can_be_mapped_with_raw_io() -> None:
    """As with CAP_SYS_RAWIO on Linux, root may map page 0; an ordinary user may not."""
    code = """void *m = mmap(0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        printf("%d\\n", m == MAP_FAILED);
        return 0;"""
    assert run("low", code).output == "0\n"
    assert run("low", code, "--user").output == "1\n"
