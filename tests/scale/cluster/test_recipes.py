"""Tests of the recipes for clusters in docs/scaling.md, as far as they can be tried without one."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer
from ray.scripts import scripts
from ruamel.yaml import YAML

from iopermit.cli.app import command

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECK: Any = typer.main.get_command(command([])).commands["check"]  # type: ignore[attr-defined]  # it is a group
SHELL: Final = "/bin/sh"
PAGE: Final = (Path(__file__).parents[3] / "docs/scaling.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the first block of a language that the page has."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def manifest() -> dict[str, Any]:
    """Return the manifest for KubeRay."""
    found: dict[str, Any] = YAML(typ="safe").load(block("yaml"))
    return found


def options(verb: Any) -> set[str]:  # noqa: ANN401 - of click, or of the copy that typer has
    """Return every name of an option of a command."""
    return {name for parameter in verb.params for name in parameter.opts}


def given(words: Iterable[str], *program: str) -> set[str]:
    """Return the options that a command line gives to a program, which is its last one."""
    line = " ".join(words)
    _, found, rest = line.rpartition(" ".join(program))
    assert found
    return {word.partition("=")[0] for word in rest.split() if word.startswith("--")}


def test_the_manifest_is_a_job_with_a_fixed_number_of_nodes() -> None:
    """It has what the schema of RayJob requires: groups with names, templates and bounds."""
    job = manifest()
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert workers["groupName"]
    assert workers["minReplicas"] == workers["replicas"] == workers["maxReplicas"] == 7
    assert workers["template"] == cluster["headGroupSpec"]["template"]
    for group in (workers, cluster["headGroupSpec"]):
        assert {f"--{name}" for name in group["rayStartParams"]} <= options(scripts.start)


def test_the_entry_point_is_expanded_on_the_head() -> None:
    """Ray joins the words and a shell splits them: the address is expanded there, not before."""
    words = shlex.split(manifest()["spec"]["entrypoint"])
    assert words[:2] == ["sh", "-c"]
    ran = subprocess.run(
        [SHELL, "-c", shlex.join(words).replace("exec iopermit", "echo")],
        env={"RAY_ADDRESS": "10.0.0.1:6379", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--cluster 10.0.0.1:6379 --threads 15" in ran.stdout
    assert given(words[2:], "iopermit check") <= options(CHECK)


def test_the_script_for_slurm_is_one() -> None:
    """A shell reads it to its end, and `ray` and `iopermit` have every option that it gives."""
    script = block("sh").replace("\\\n", " ")
    subprocess.run([SHELL, "-n"], input=script, text=True, check=True)
    for line in script.splitlines():
        if "ray start" in line:
            assert given(line.split(), "ray start") <= options(scripts.start)
        if "iopermit check" in line:
            assert given(line.split(), "iopermit check") <= options(CHECK)
    assert script.count("ray start") == 2


@pytest.mark.parametrize("program", ["ray start", "iopermit check"])
def test_an_option_that_is_none_would_be_found(program: str) -> None:
    """What is compared is not empty, and a wrong option is not among the known ones."""
    assert given([program, "--hed", "--port=1"], program) == {"--hed", "--port"}
    assert "--hed" not in options(scripts.start) | options(CHECK)
