"""What the guest tells on its console is understood, and what the kernel says is passed over."""

from __future__ import annotations

from iopermit.reproduce.guest.telling import CommandResult, report_of

CONSOLE = """\
[    0.000000] Linux version 0
VERSION Linux version 6.1.0
CMDLINE console=ttyS0 quiet
PREEMPT none voluntary (full)
SYMBOL ffffffff81000010 one
SYMBOL ffffffff81000020 one
TASK A uid 0 CapEff 000001ffffffffff
RESULT 1 2 1 0 0 5 255 0 2147483648
RESULT 1 3 1 -1 17 0
[   RESULT is no result
RESULT 1 4 1 [ 4.2] cut off
END
"""


def test_what_it_tells_is_read() -> None:
    """Kernel, addresses, credentials and results are taken from their lines; the rest is not."""
    report = report_of(CONSOLE.splitlines())
    assert report.version == "Linux version 6.1.0"
    assert report.command_line == "console=ttyS0 quiet"
    assert report.preemption == "none voluntary (full)"
    assert report.symbols == {"one": 0xFFFFFFFF81000010}
    assert report.credentials == {"A": "uid 0 CapEff 000001ffffffffff"}
    assert report.results == {
        (1, 2): CommandResult(True, 0, 0, 5, (255, 0, 2147483648)),
        (1, 3): CommandResult(True, -1, 17, 0, ()),
    }
    assert report.ended


def test_open_ports_are_those_whose_bit_is_set() -> None:
    """Bits 0 and 2 are the first and the last of the harmless ports."""
    assert CommandResult(True, 0, 0, 5, (255, 0, 1)).open_ports == (0x80, 0xCF8)


def test_a_failure_of_the_guest_is_kept() -> None:
    """What the guest could not do is told as it said it; it did not end then."""
    report = report_of(["FAILED mmap: Cannot allocate memory"])
    assert report.failure == "mmap: Cannot allocate memory"
    assert not report.ended
