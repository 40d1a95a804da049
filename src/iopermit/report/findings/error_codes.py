"""The codes of errors: what ended a command without a verdict, and what to do about it."""

from __future__ import annotations

from typing import Final

from iopermit.report.findings.codes import FINDINGS, Code

ERRORS: Final = (
    Code(
        "bad-usage",
        "wrong usage",
        "The command line cannot be understood, or asks for what does not go together.",
        "A verb, option or value does not exist, is missing, or excludes another one. Nothing was "
        "done.",
        "The message names the option. `iopermit VERB --help` shows all, with examples.",
        status=2,
    ),
    Code(
        "bad-design",
        "design refused",
        "The file of a design cannot be imported, or has something that the language lacks.",
        "A design is executed and translated, so it is straight Python: the message shows file, "
        "line and column, the code, and what to write instead.",
        "Change the line. docs/writing-a-design.md has the whole language.",
        status=2,
    ),
    Code(
        "unknown-design",
        "no such design",
        "No design has this id.",
        "A design is named by an id of ours, by FILE.py, or by FILE.py:CLASS.",
        "`iopermit list` shows every id. For a file, give its name with .py.",
        status=2,
    ),
    Code(
        "missing-extra",
        "missing library",
        "A verb or option needs a library that is not installed.",
        "`pip install iopermit` brings what designs need. Kernel trees, programs, plots, pages and "
        "proofs are extras of the package.",
        "Install the extra that the message names, into the same environment.",
        status=2,
    ),
    Code(
        "bad-tree",
        "kernel tree refused",
        "The directory is no kernel tree, or one whose code iopermit cannot call.",
        "A tree is an unpacked Linux source tree of v5.3 or later with arch/x86. The message says "
        "what it lacks, or which function or symbol is not known.",
        "Give the top directory of a whole tree. If a symbol is missing in a newer kernel, please "
        "report it with the version.",
        status=2,
    ),
    Code(
        "bad-patch",
        "patch refused",
        "A patch cannot be read, is damaged, or does not apply to the tree.",
        "Patches are read strictly: what looks like a part of a patch and would not be applied is "
        "refused, with file and line.",
        "Take the mail as it comes out of the archive (link `raw`), or `git format-patch`. If it "
        "does not apply, give the tree that it was made for.",
        status=2,
    ),
    Code(
        "failed-build",
        "build failed",
        "The objects of the tree could not be built.",
        "The tree's own build system, the compiler or the sandbox failed, or a tool is missing. "
        "The message has the command and what the compiler says.",
        "Install what is missing; if a patch does not compile, repair it. --keep-build DIR leaves "
        "everything there, to try the command by hand.",
        status=2,
    ),
    Code(
        "bad-program",
        "program cannot be run",
        "The program cannot be loaded, the machine cannot be made, or a run is not whole.",
        "`iopermit run` loads x86-64 and i386 ELF files of Linux, and scripts. A damaged or "
        "foreign file, a missing interpreter, or a CPU back end that is not there is refused. If "
        "--io-log, --serial or --export cannot be written, that is told at the program's end.",
        "The message says what is wrong. `file PROGRAM` tells what it is; --cpu unicorn works "
        "everywhere.",
        status=2,
    ),
    Code(
        "bad-file",
        "saved file refused",
        "A saved schedule or certificate cannot be read, is damaged, or no longer fits.",
        "`replay`, `reproduce`, `export itf` and `certify` read what `check --save` and `check "
        "--certificate` wrote, for the design or tree that it was about.",
        "Write it again with the command that the message names. If the design moved: --design.",
        status=2,
    ),
    Code(
        "cannot-write",
        "result not written",
        "A result could not be written to a file or to standard output.",
        "The directory does not exist or is not writable, or the disk is full. A file that was "
        "there before is unchanged.",
        "Name another file, or make room; then run the command again.",
        status=2,
    ),
    Code(
        "system-refused",
        "the system refuses something",
        "The operating system does not let iopermit use a file, a directory or a network port.",
        "The message has the name and the reason of the system. A cache that others could have "
        "written to is refused as well.",
        "Look at the name and at its permissions.",
        status=2,
    ),
    Code(
        "limit-reached",
        "out of memory, time or files",
        "Memory, time, processes or open files ran out before there was a verdict.",
        "Nothing is known of the design or tree. A search that reaches a limit says so in a "
        "verdict of its own: `undetermined`.",
        "Check a smaller scenario, lower --max-memory, or raise the limit of the system.",
        status=3,
    ),
    Code(
        "interrupted",
        "interrupted",
        "A signal (Ctrl-C, SIGTERM, SIGHUP) ended the command before there was a result.",
        "Nothing was written half. A search that was interrupted prints what it knows instead.",
        "Run it again; --timeout ends a search by itself.",
        status=3,
    ),
    Code(
        "internal-error",
        "fault of iopermit",
        "iopermit itself failed. This is no verdict.",
        "What is known was saved to a file that the message names; among it are the command line "
        "and the design.",
        "Look through the file and attach it to an issue; SECURITY.md says what to report "
        "privately.",
        status=4,
    ),
)
"""Every class of errors that ends a command, with its exit status."""

CODES: Final = (*FINDINGS, *ERRORS)
"""Every code of iopermit: findings first, then errors."""
