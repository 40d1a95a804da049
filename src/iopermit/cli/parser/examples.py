"""Examples of every verb, for its help and for the manual page."""

from __future__ import annotations

from typing import Final

Examples = tuple[tuple[str, str], ...]
"""Command lines, and what each does."""

EXAMPLES: Final[dict[str, Examples]] = {
    "list": (
        ("iopermit list", "every design, with its origin and options"),
        ("iopermit list | grep -A3 linux-6", "those of Linux 6"),
        ("iopermit list --json", "the same for programs"),
    ),
    "check": (
        ("iopermit check linux-v2-06", "find the leak of a patch that was posted in 2019"),
        ("iopermit check mine.py --cpus 2 --tasks 2 --longs 1", "search one scenario to its end"),
        (
            "iopermit check --kernel ~/linux --patch fix.patch --fail-on introduced",
            "judge a patch by what it brings",
        ),
    ),
    "replay": (
        ("iopermit replay leak.json", "show again what `check --save leak.json` found"),
        ("iopermit replay leak.json --steps", "the same, statement by statement"),
        ("iopermit replay leak.json --json", "the same for programs"),
    ),
    "certify": (
        (
            "iopermit check linux-5.4 --cpus 1 --tasks 2 --longs 1 --certificate FILE",
            "first write a certificate",
        ),
        ("iopermit certify FILE", "verify it"),
        ("iopermit certify FILE --processes 2 --timeout 600", "on two CPUs, for ten minutes"),
    ),
    "compare": (
        ("iopermit compare", "every design, variant and option: takes minutes"),
        ("iopermit compare linux-5.4 linux-5.5 --events all", "two designs under all events"),
        ("iopermit compare mine.py --cpus 1 --tasks 2 --longs 1", "one scenario of one's own"),
    ),
    "cost": (
        ("iopermit cost", "every design, side by side"),
        ("iopermit cost linux-5.4 linux-5.5 --plot costs.svg", "two of them, also as a chart"),
        ("iopermit cost --kernel ~/linux --patch fast.patch", "a tree without and with a patch"),
    ),
    "sweep": (
        ("iopermit sweep designs.toml", "run every job of a description that has no result yet"),
        ("iopermit sweep stable.toml --bisect", "find the commits that change a verdict"),
        ("iopermit sweep designs.toml --no-run --html page.html", "only show what is known"),
    ),
    "run": (
        ("iopermit run --user /bin/true", "a program without privileges, on Linux 6.16"),
        ("iopermit run --design linux-v2-06 --strace ./prog 128", "on the design of a patch"),
        ("iopermit run --cpu kvm --io-log ports.jsonl ./prog", "on the host's processor"),
    ),
    "explore": (
        ("iopermit explore linux-v2-06", "walk to the leak of a patch, step by step"),
        ("iopermit explore mine.py --cpus 2 --events all", "a design of one's own, two CPUs"),
        ("iopermit explore linux-6.16 --port 8000", "on a port of one's choice"),
    ),
    "reproduce": (
        ("iopermit reproduce leak.json --image vmlinuz", "boot a kernel, and force the schedule"),
        (
            "iopermit reproduce leak.json --image vmlinuz --append preempt=full --runs 10",
            "ten times, with another kind of preemption",
        ),
        (
            "iopermit reproduce leak.json --kernel ~/linux --patch fix.patch",
            "build a kernel with a patch first",
        ),
    ),
    "export": (
        ("iopermit export promela linux-v2-06 -o model.pml", "write a model for Spin"),
        ("iopermit export promela mine.py --cpus 1 --tasks 2", "of one scenario"),
        ("iopermit export itf leak.json -o leak.itf.json", "a saved schedule, for trace viewers"),
    ),
    "explain": (
        ("iopermit explain", "every code"),
        ("iopermit explain leak", "what a leak is, and where to look"),
        ("iopermit explain bad-patch --json", "why a patch is refused, for programs"),
    ),
    "cache": (
        ("iopermit cache", "how much is kept, and where"),
        ("iopermit cache clear", "remove it"),
        ("iopermit cache path", "only where it is"),
    ),
}
