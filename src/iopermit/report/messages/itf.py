"""Schedules in the Informal Trace Format, which viewers of Apalache and Quint traces read.

The format: https://apalache-mc.org/docs/adr/015adr-trace.html
"""

from __future__ import annotations

from typing import Any, Final

import iopermit

Object = dict[str, Any]

_VARIABLES: Final = ("step", "cpu", "task", "event", "text", "source", "io_map_base", "clear_bits")
"""`io_map_base` and `clear_bits` are maps from CPUs to what their TSS has; ports are pairs of the
first and the last of a range."""


def itf_trace(saved: Object) -> Object:
    """Return the schedule of a saved verdict, which is violated: a state after each of its steps.

    The TSS of a CPU is in a state from the CPU's first step on.
    """
    tss: dict[int, Object] = {}
    states = []
    for index, step in enumerate(saved["trace"]):
        tss[step["cpu"]] = step["tss"]
        states.append(_state(index, step, tss))
    return {
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "source": saved["subject"],
            "description": f"{saved['violation']['kind']}: {saved['violation']['message']}",
            "iopermit": iopermit.__version__,
        },
        "vars": list(_VARIABLES),
        "states": states,
    }


def _state(index: int, step: Object, tss: dict[int, Object]) -> Object:
    return {
        "#meta": {"index": index},
        "step": _integer(step["number"]),
        "cpu": _integer(step["cpu"]),
        "task": step["task"],
        "event": step["event"],
        "text": step["text"],
        "source": step["source"] or "",
        "io_map_base": _map({cpu: each["io_map_base"] for cpu, each in sorted(tss.items())}),
        "clear_bits": _map({cpu: _ports(each["clear"]) for cpu, each in sorted(tss.items())}),
    }


def _integer(value: int) -> Object:
    return {"#bigint": str(value)}


def _map(values: dict[int, Any]) -> Object:
    return {"#map": [[_integer(key), value] for key, value in values.items()]}


def _ports(ranges: list[list[int]]) -> Object:
    return {"#set": [{"#tup": [_integer(port) for port in pair]} for pair in ranges]}
