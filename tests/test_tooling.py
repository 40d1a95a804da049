"""The tools around the code: development tools are pinned, hooks and CI run them."""

from __future__ import annotations

import io
import re
import tokenize
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parent.parent


def project() -> dict[str, Any]:
    """Return what pyproject.toml says of the project."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    parsed: dict[str, Any] = tomllib.loads(text)["project"]
    return parsed


def pins() -> list[Requirement]:
    """Return the lines of the lock file."""
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    return [Requirement(line) for line in text.splitlines() if line and line[0] not in " #"]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_development_tool_is_pinned(python: str) -> None:
    """On each Python the lock file has one version of every dependency, and one that is wanted."""
    where = {"python_version": python, "python_full_version": f"{python}.0"}
    found = [pin for pin in pins() if pin.marker is None or pin.marker.evaluate(where)]
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in found}
    assert len(pinned) == len(found)
    parts = project()
    extras = parts["optional-dependencies"].values()
    wanted = [*parts["dependencies"], *(each for extra in extras for each in extra)]
    for requirement in map(Requirement, wanted):
        # An extra of iopermit itself stands for what it lists.
        if requirement.name == "iopermit":
            continue
        assert Version(pinned[canonicalize_name(requirement.name)]) in requirement.specifier


def test_the_workflow_runs_ci_on_every_python() -> None:
    """GitHub runs .ci/run on the least Python that the package admits, and on the two after it."""
    workflow = YAML(typ="safe").load(ROOT / ".github/workflows/ci.yml")
    job = workflow["jobs"]["test"]
    least = int(project()["requires-python"].removeprefix(">=3."))
    assert job["strategy"]["matrix"]["python"] == [f"3.{least + more}" for more in range(3)]
    assert [step["run"] for step in job["steps"] if "run" in step][-1] == ".ci/run"


def test_hooks_run_what_lint_runs() -> None:
    """Every tool that `make lint` runs is run before a commit, too, from the same environment."""
    hooks = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rule = re.search(r"^lint: install-dev lint-github\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert rule is not None
    commands = re.findall(r"\$\(VENV\)/bin/(\w[\w-]*(?: (?:check|format))?)", rule[1])
    assert len(commands) == 4
    for command in [f".venv/bin/{command}" for command in commands] + ["make lint-github"]:
        assert any(entry.startswith(command) for entry in entries), command


EXCEPTION: Final = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b")
EXPLAINED: Final = re.compile(
    r"#\s(?:noqa: [A-Z]+\d+(?:, [A-Z]+\d+)* - [^#]+|type: ignore\[[a-z-]+(?:, [a-z-]+)*\]  # [^#]+)"
)


def unexplained(text: str) -> list[str]:
    """Return the comments that switch a rule off without its name or without a reason."""
    comments = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    return [
        comment
        for comment in comments
        if len(EXCEPTION.findall(comment)) > len(EXPLAINED.findall(comment))
    ]


def test_every_exception_from_a_rule_says_why() -> None:
    """Where ruff or mypy is told to overlook something, the rule is named and a reason given."""
    folders = ("src", "tests", "benchmarks", "tools", "examples")
    found = {
        str(path): unexplained(path.read_text(encoding="utf-8"))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(found) > 100
    assert not {path: comments for path, comments in found.items() if comments}


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("x = 1  # noqa: E501 - a URL", True),
        ("x = 1  # noqa: E501, S101 - a URL", True),
        ("x = 1  # type: ignore[misc]  # a Verdict", True),
        ("x = 1  # type: ignore[misc]  # Final # noqa: SIM115 - stays open", True),
        ("x = 1  # a number", True),
        ("x = '# noqa'", True),
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: E501", False),
        ("x = 1  # type: ignore", False),
        ("x = 1  # type: ignore[misc]", False),
        ("x = 1  # type: ignore[misc]  # noqa: E501 - a URL", False),
        ("x = 1  # type: ignore[misc]  # Final # noqa: SIM115", False),
    ],
)
def test_an_exception_without_a_reason_is_found(line: str, *, explained: bool) -> None:
    """A rule that is switched off without its name, or without a reason, is found in a comment."""
    assert bool(unexplained(line)) != explained
