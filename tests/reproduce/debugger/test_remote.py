"""The debugger's client asks and waits, and has no way to write."""

from __future__ import annotations

import struct

import pytest
from tests.support.reproduce.stub import DebuggerStub

from iopermit.reproduce.debugger.remote import DebuggerError, RemoteDebugger

STOP = "T05thread:p01.02;"


def packet_g(*, cs: int) -> str:
    """Return the registers as QEMU sends them: each is its own number, RIP is 16."""
    words = struct.pack("<17QII", *range(17), 0x202, cs)
    bases = struct.pack("<3Q", 0xF5, 0x65, 0x4B)
    return (words + bytes(164 - len(words)) + bases).hex()


def test_stops_tell_the_cpu() -> None:
    """The machine is let run and stops; the CPU that stopped is counted from 0."""
    with DebuggerStub({"vCont;c": [STOP], "interrupt": ["T02thread:01;"]}) as stub:
        debugger = RemoteDebugger(stub.client, 60)
        debugger.interrupt()
        assert debugger.cpu == 0
        assert debugger.go_on() == 1
        assert stub.asked == ["interrupt", "vCont;c"]


def test_one_cpu_can_run_alone() -> None:
    """A step, or a run, of one CPU names that CPU only: the others stand still."""
    with DebuggerStub({}, default=STOP) as stub:
        debugger = RemoteDebugger(stub.client, 60)
        debugger.go_on_with(1)
        debugger.step(0)
        assert stub.asked == ["vCont;c:2", "vCont;s:1"]


@pytest.mark.parametrize(("cs", "base"), [(0x10, 0x65), (0x33, 0x4B)])
def test_the_base_of_a_cpus_own_data_depends_on_the_mode(cs: int, base: int) -> None:
    """In user mode the kernel's GS base is the other one, which SWAPGS exchanges."""
    with DebuggerStub({"g": [packet_g(cs=cs)]}) as stub:
        registers = RemoteDebugger(stub.client, 60).registers(0)
        assert (registers["rbx"], registers["rdi"], registers["rip"]) == (1, 5, 16)
        assert registers.user_mode == (cs == 0x33)
        assert registers.kernel_base == base


def test_memory_is_read_in_parts() -> None:
    """What is larger than a packet is read in several, and put together."""
    answers = {"m1000,7d0": ["11" * 2000], "m17d0,3e8": ["22" * 1000]}
    with DebuggerStub(answers) as stub:
        content = RemoteDebugger(stub.client, 60).read(0x1000, 3000)
        assert content == b"\x11" * 2000 + b"\x22" * 1000


def test_a_stop_by_attaching_is_no_answer() -> None:
    """A stop that comes before the answer to another question is passed over."""
    with DebuggerStub({"Z1,40,1": [f"{STOP}|OK"]}) as stub:
        RemoteDebugger(stub.client, 60).stop_at(0x40)


def test_what_the_monitor_prints_is_put_together() -> None:
    """The monitor's text comes in parts, as hexadecimal digits, with the line ends of terminals."""
    packet = f"qRcmd,{b'info registers -a'.hex()}"
    answers = {packet: [f"O{b'one '.hex()}|O{b'two'.hex()}|O{bytes((13, 10)).hex()}|OK"]}
    with DebuggerStub(answers) as stub:
        assert RemoteDebugger(stub.client, 60).monitor("info registers -a") == "one two\n"


@pytest.mark.parametrize("packet", ["M0,1:00", "X1f,1:a", "G00", "P0=00", "Z0,40,1", "k", "R00"])
def test_nothing_can_be_written(packet: str) -> None:
    """Packets that change memory or registers, or end the machine, are never sent."""
    with DebuggerStub({}) as stub:
        debugger = RemoteDebugger(stub.client, 60)
        with pytest.raises(ValueError, match="might write"):
            debugger._send(packet)
        assert not stub.asked


def test_the_monitor_is_only_asked() -> None:
    """Of the monitor's commands only those that show something are sent."""
    with DebuggerStub({}) as stub:
        with pytest.raises(ValueError, match="no question"):
            RemoteDebugger(stub.client, 60).monitor("system_reset")
        assert not stub.asked


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("end", "the virtual machine ended"),
        ("W00", "the virtual machine ended"),
        ("silence", "did not stop within 0 s"),
    ],
)
def test_an_end_or_silence_is_told(answer: str, message: str) -> None:
    """A machine that ends, or never stops, is an error that says which."""
    with DebuggerStub({"vCont;c": [answer]}) as stub:
        debugger = RemoteDebugger(stub.client, 0.3)
        with pytest.raises(DebuggerError, match=message):
            debugger.go_on()


def test_memory_that_is_not_there_is_told() -> None:
    """An address without memory is an error that names it."""
    with (
        DebuggerStub({"m40,1": ["E14"]}) as stub,
        pytest.raises(DebuggerError, match="0x40 cannot be read"),
    ):
        RemoteDebugger(stub.client, 60).read(0x40, 1)
