"""Tests of iopermit.scale.cluster.connection: being connected takes no signal away."""

from __future__ import annotations

import signal
import sys

import pytest
import ray

from iopermit.cli.process.signals import ending_signals
from iopermit.scale.cluster.connection import connected
from iopermit.scale.errors import ScaleError


def _exit(number: int, _: object) -> None:
    sys.exit(number)


def test_termination_is_ours_while_connected() -> None:
    """SIGTERM interrupts a search on a real cluster, and has its old handler afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    with ending_signals(for_good=False):
        with pytest.raises(KeyboardInterrupt), connected("auto", 1):
            signal.raise_signal(signal.SIGTERM)
        assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) == before


def test_termination_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM that Ray handles, by an exit, is an interruption as any other."""

    def init(**_: object) -> None:
        signal.signal(signal.SIGTERM, _exit)
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(KeyboardInterrupt), connected("auto", 1):
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_no_cluster_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that cannot be reached is told by its address and the first line of why."""

    def init(**_: object) -> None:
        signal.signal(signal.SIGTERM, _exit)
        raise ConnectionError("nobody listens\nmore")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ScaleError, match=r"at far:6379: nobody listens$"), connected("far:6379", 1):
        pass
    assert signal.getsignal(signal.SIGTERM) == before


def test_standard_output_is_for_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Ray prints while a search is connected is not taken for a part of the result."""
    monkeypatch.setattr(ray, "init", lambda **_: None)
    with connected("far:6379", 1):
        sys.stdout.write("(raylet) A worker died")
    sys.stdout.write("the result")
    assert capsys.readouterr().out == "the result"
