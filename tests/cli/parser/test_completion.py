"""Tests of shell completion: what is offered, by bash, zsh and fish themselves where they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.requirements import require_tool

from iopermit.cli.parser.completion import designs_like, events_like

BASH = """
source ./completion
COMP_WORDS=({words}) COMP_CWORD={cursor}
_iopermit_completion iopermit
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
autoload -Uz compinit; compinit -u -D
source ./completion
_arguments() {{ print -rl -- "$@" }}
_describe() {{ print -rl -- ${{(P)3}} ${{(P)2}} "$@" }}
words=({words}) CURRENT={cursor}
_iopermit_completion
"""
FISH = "source ./completion; complete --do-complete '{line}'"


def environment(tmp_path: Path, shell: str) -> dict[str, str]:
    """Return an environment in which `iopermit` is that of the tests, started by a shell."""
    script = tmp_path / "bin" / "iopermit"
    script.parent.mkdir(exist_ok=True)
    script.write_text(
        f"#!{sys.executable}\nimport sys\nfrom iopermit.cli import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    return os.environ | {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        # Which shell started it is no test's business: what is asked for is written.
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        "SHELL": shell,
    }


def offered(shell: str, script: str, tmp_path: Path) -> str:
    """Return what a shell prints that runs a script beside the completion for it."""
    program = require_tool(shell)
    variables = environment(tmp_path, shell)

    def printed(*command: str | Path) -> str:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=variables
        )
        return ran.stdout

    (tmp_path / "completion").write_text(
        printed(tmp_path / "bin/iopermit", "--show-completion", shell)
    )
    return printed(program, "-c", script)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("iopermit che", ["check"]),
        ("iopermit check linux-2.6.1", ["linux-2.6.10", "linux-2.6.10-L1", "linux-2.6.10-L2"]),
        ("iopermit check --ev", ["--events", "--every", "--every-access"]),
        ("iopermit check --events ioperm,fork-", ["ioperm,fork-fails", "ioperm,fork-fails-early"]),
        ("iopermit export pro", ["promela"]),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, wanted: list[str]) -> None:
    """Bash offers verbs, options, designs and events that begin like the word."""
    script = BASH.format(words=words, cursor=len(words.split()) - 1)
    assert sorted(offered("bash", script, tmp_path).split()) == wanted


def test_fish_completes(tmp_path: Path) -> None:
    """Fish offers designs, with their titles."""
    text = offered("fish", FISH.format(line="iopermit check linux-2.6.10"), tmp_path)
    assert {"linux-2.6.10", "linux-2.6.10-L1"} <= {
        line.split("\t")[0] for line in text.splitlines()
    }


def test_zsh_completes(tmp_path: Path) -> None:
    """Zsh is given designs to describe."""
    script = ZSH.format(words="iopermit check linux-2.6.10", cursor=3)
    assert "linux-2.6.10-L1" in offered("zsh", script, tmp_path)


def test_installing_writes_into_the_home_directory(tmp_path: Path) -> None:
    """--install-completion puts the completion where the shell finds it, and says where."""
    require_tool("bash")
    variables = environment(tmp_path, "bash")
    ran = subprocess.run(
        [tmp_path / "bin/iopermit", "--install-completion", "bash"],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
    )
    assert ran.returncode == 0
    assert "bash completion installed" in ran.stdout
    assert "iopermit" in (tmp_path / ".bashrc").read_text()


def test_designs_are_offered_with_their_titles() -> None:
    """An offered design has its title, which some shells show."""
    assert designs_like("linux-v2-06-rev")[0][0] == "linux-v2-06-reviewed"
    assert all(title for _, title in designs_like(""))
    assert designs_like("none") == []


def test_an_event_is_offered_once() -> None:
    """The last name of a list is completed, but for what the list has already."""
    assert events_like("ioperm,ex") == ["ioperm,exit", "ioperm,exec"]
    assert events_like("exit,ex") == ["exit,exec"]
    assert "all" in events_like("")
