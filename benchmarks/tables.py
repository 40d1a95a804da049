"""Prints the measurements as Markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measurements import Row

_MEGA: Final = 1e6
_MIB: Final = 1 << 20


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def speed_table(rows: Sequence[Row]) -> str:
    """Return the speed of both searches."""
    heads = ("model", "states", "transitions", "iopermit, s", "Spin, s",
             "iopermit, 10^6/s", "Spin, 10^6/s", "ratio", "by CPU time", "load")  # fmt: skip
    return table(
        heads,
        [
            (
                row["subject"],
                f"{row['states']:,}",
                f"{row['transitions']:,}",
                f"{row['iopermit_seconds']:.2f}",
                f"{row['spin_seconds']:.2f}",
                f"{row['iopermit_rate'] / _MEGA:.2f}",
                f"{row['spin_rate'] / _MEGA:.2f}",
                f"**{row['ratio']:.1f}**",
                f"{row['cpu_ratio']:.1f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def verdict_table(rows: Sequence[Row]) -> str:
    """Return the times to the verdict and what share of Spin's they are."""
    heads = ("model", "reductions", "Spin, s", "iopermit, first use, s", "share",
             "by CPU time", "iopermit, warm, s", "share", "by CPU time", "load")  # fmt: skip
    return table(
        heads,
        [
            (
                row["subject"],
                "on" if row["reductions"] else "off",
                f"{row['spin_seconds']:.2f}",
                f"{row['first_use_seconds']:.2f}",
                f"**{row['first_use_share']:.2f}**",
                f"{row['first_use_cpu_share']:.2f}",
                f"{row['warm_seconds']:.2f}",
                f"**{row['warm_share']:.2f}**",
                f"{row['warm_cpu_share']:.2f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def start_table(rows: Sequence[Row]) -> str:
    """Return the times from the start of the process to the verdict."""
    return table(
        ("command", "first use, s", "CPU, s", "warm, s", "CPU, s", "load"),
        [
            (
                f"`iopermit check {row['design']}`",
                f"{row['first_use_seconds']:.2f}",
                f"{row['first_use_cpu_seconds']:.2f}",
                f"{row['warm_seconds']:.2f}",
                f"{row['warm_cpu_seconds']:.2f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def threads_table(rows: Sequence[Row]) -> str:
    """Return what a second thread gains."""
    return table(
        ("model", "reductions", "states", "one thread, s", "two, s", "ratio", "load"),
        [
            (
                row["subject"],
                "on" if row["reductions"] else "off",
                f"{row['states']:,}",
                f"{row['one_seconds']:.2f}",
                f"{row['two_seconds']:.2f}",
                f"**{row['ratio']:.2f}**",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def growth_table(rows: Sequence[Row]) -> str:
    """Return what each scenario costs."""
    heads = ("design, CPUs/tasks/longs, events", "verdict", "states", "transitions", "depth",
             "search, s", "process, s", "CPU time, s", "search, MiB")  # fmt: skip
    return table(
        heads,
        [
            (
                f"{row['design']} {'/'.join(map(str, row['bounds']))} {row['events']}",
                row["verdict"],
                f"{row['states']:,}",
                f"{row['transitions']:,}",
                row["depth"],
                f"{row['search_seconds']:.2f}",
                f"{row['process_seconds']:.1f}",
                f"{row['process_cpu_seconds']:.1f}",
                f"{row['search_bytes'] / _MIB:.0f}",
            )
            for row in rows
        ],
    )


def user_code_table(rows: Sequence[Row]) -> str:
    """Return the speed of user code without port I/O, against Unicorn alone."""
    heads = ("back end", "instructions", "CPU time, s", "Unicorn alone, s", "10^6/s",
             "Unicorn alone, 10^6/s", "slower by", "load")  # fmt: skip
    return table(
        heads,
        [
            (
                row["cpu"],
                f"{row['instructions']:,}",
                f"{row['cpu_seconds']:.2f}",
                f"{row['plain_cpu_seconds']:.2f}",
                f"{row['rate'] / _MEGA:.0f}",
                f"{row['plain_rate'] / _MEGA:.0f}",
                f"**{row['slowdown']:.2f}**",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


def rate_table(first: str, what: str) -> Callable[[Sequence[Row]], str]:
    """Return what prints how many of something are done per second of processor time."""

    def show(rows: Sequence[Row]) -> str:
        shown = [
            (
                row[first],
                f"{row[what]:,}",
                "-" if row["rate"] is None else f"{row['cpu_seconds']:.2f}",
                "the kernel crashes" if row["rate"] is None else f"{row['rate']:,.0f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ]
        return table((first, what, "CPU time, s", "per second", "load"), shown)

    return show


def program_start_table(rows: Sequence[Row]) -> str:
    """Return how long a program takes that ends at once."""
    return table(
        ("back end", "s", "CPU time, s", "load"),
        [
            (
                row["cpu"],
                f"**{row['seconds']:.2f}**",
                f"{row['cpu_seconds']:.2f}",
                f"{row['load']:.1f}",
            )
            for row in rows
        ],
    )


SECTIONS: Final[dict[str, tuple[str, Any]]] = {
    "speed": ("Transitions per second, all reductions off, one thread", speed_table),
    "to_verdict": ("From command to verdict, compilation included", verdict_table),
    "start": ("From process start to verdict", start_table),
    "threads": ("Two search threads against one", threads_table),
    "user_code": ("User code without port accesses, against Unicorn alone", user_code_table),
    "port_accesses": ("Port accesses (OUT)", rate_table("cpu", "accesses")),
    "switches": ("Context switches between two tasks with ports", rate_table("design", "switches")),
    "program_start": ("Start and end of a program, everything imported", program_start_table),
    "growth": ("Growth in CPUs, tasks and longs, default reductions, one thread", growth_table),
}
"""Name of a section in the JSON: its title and what prints its rows."""
