"""The codes of what iopermit finds: what each means, how grave it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOMEPAGE: Final = "https://github.com/iopermit/iopermit"
"""Where the project is; pyproject.toml has the same."""


@dataclass(frozen=True)
class Code:
    """Something that iopermit says, under a name that never changes its meaning."""

    code: str
    title: str
    summary: str
    """What it says, in one sentence."""
    meaning: str
    """What it means for the kernel or the user, and how it comes about."""
    remedy: str
    """What to do about it."""
    severity: float | None = None
    """Of a finding: the base score of CVSS 3.1 if a kernel had it; None where it is no weakness."""
    status: int | None = None
    """Of an error: the exit status of the command; None for a finding."""

    @property
    def url(self) -> str:
        """Where the page about it is."""
        return f"{HOMEPAGE}/blob/main/docs/codes.md#{self.code}"


FINDINGS: Final = (
    Code(
        "leak",
        "port leak",
        "The CPU allows a task a port that the task was not granted.",
        "In user mode the map that the TSS selects has a clear bit for a port that neither "
        "ioperm() nor iopl() gave to the running task. Mostly another task's bits are left in the "
        "TSS: the kernel copied too little, or too late, or made the I/O map base valid again "
        "without a copy. The task can program devices, and so take over the machine.",
        "Follow the schedule to the write of the TSS that lets it happen; the last column of the "
        "table tells whose bits are in the map. Copy, or invalidate, up to the longest map that "
        "the TSS may still hold.",
        # AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H
        7.8,
    ),
    Code(
        "loss",
        "lost permission",
        "The CPU refuses a task a port that the task was granted.",
        "In user mode an access to a port that ioperm() or iopl() gave to the running task ends "
        "with #GP, and no handler puts it right. The kernel did not update the TSS of this CPU, or "
        "a VM exit left a limit in the task register that is too small for the map.",
        "Look for the way into user mode on which the map, the base or the limit is not brought up "
        "to date: a system call of another thread, a switch, a return from a VM exit.",
        # AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:L
        3.3,
    ),
    Code(
        "crash",
        "kernel crash",
        "The kernel crashes.",
        "Kernel code follows a null pointer, uses or frees memory that was freed, or fails an "
        "assertion of its own.",
        "Follow the schedule to the statement that frees or clears what the crash needs; often a "
        "task is preempted, or exits, between the two.",
        # AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H
        5.5,
    ),
    Code(
        "rule",
        "broken rule",
        "Kernel code breaks a rule: a wrong result, or a call that is missing.",
        "A single call of ioperm() or iopl() returns or allows something else than the manual "
        "pages say, or the rest of the kernel lacks a call that keeps the TSS right. No search is "
        "needed to see it.",
        "The message names the call and what was expected. Other programs rely on it, or other "
        "kernel code does.",
        # AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H; what a missing call leads to is not searched.
        5.5,
    ),
    Code(
        "garbage",
        "memory leak",
        "Memory stays allocated that nobody can free any more.",
        "No task, CPU or object refers to a bitmap that is still allocated: a reference was "
        "dropped without a free, or a counter of references is one too high. A task that repeats "
        "the schedule uses up the kernel's memory.",
        "Look at the error paths of the schedule, and at who holds a reference when a fork fails.",
        # AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H
        5.5,
    ),
    Code(
        "undetermined",
        "undetermined",
        "A limit was reached before every state was visited: nothing is known of the others.",
        "The search ended at a limit of states, memory or time, at a signal, or at code that it "
        "cannot judge. It is neither a fault nor its absence.",
        "Raise the limit that the message names, check a smaller scenario (--cpus, --tasks, "
        "--longs, --events), or add --threads.",
    ),
)
"""Every kind of finding, the gravest first; `undetermined` is the answer that is none."""


def finding(code: str) -> Code:
    """Return the finding of a code. Raises KeyError if there is none."""
    return {each.code: each for each in FINDINGS}[code]
