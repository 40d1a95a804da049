"""Tests of iopermit.cli.process.extras: every verb names what is not installed, if it needs it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from tests.support.cli.command import HOLDING, SMALL

from iopermit.cli.process.extras import EXTRAS, extra_of, require
from iopermit.engine.errors import MissingExtraError

ROOT: Final = Path(__file__).parents[3]
OPTIONAL: Final = sorted({module for modules in EXTRAS.values() for module in modules})

HIDING: Final = """
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
from iopermit.cli import main
sys.exit(main())
"""


def run_without(modules: list[str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run iopermit where some modules cannot be imported."""
    program = HIDING.format(hidden=set(modules))
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


CORE: Final = {
    "list": ["list"],
    "check": ["check", HOLDING, *SMALL],
    "check, violated": ["check", "linux-v2-06"],
    "check, all formats": ["check", HOLDING, *SMALL, "--sarif", "s", "--junit", "j", "--save", "f"],
    "check, on disk": ["check", HOLDING, *SMALL, "--disk", "states"],
    "certify": ["certify", "certificate"],
    "replay": ["replay", "saved.json"],
    "compare": ["compare", HOLDING, "--no-options", *SMALL],
    "cost": ["cost", HOLDING],
    "export": ["export", "promela", HOLDING, *SMALL],
    "cache": ["cache"],
    "--help": ["--help"],
}
NEEDING: Final = {
    "kernel": [
        ["check", "--kernel", "."],
        ["cost", "--kernel", "."],
        ["replay", "tree.json"],
    ],
    "cluster": [["check", HOLDING, *SMALL, "--disk", "states", "--cluster", "auto"]],
    "run": [["run", "/bin/true"], ["run", "--cpu", "kvm", "/bin/true"]],
    "plot": [["cost", HOLDING, "--plot", "costs.svg"]],
    "prove": [["check", HOLDING, *SMALL, "--obligations"]],
    "reproduce": [["reproduce", "saved.json", "--image", "vmlinuz"]],
    "web": [
        ["check", HOLDING, *SMALL, "--html", "page.html"],
        ["replay", "saved.json", "--html", "page.html"],
        ["compare", HOLDING, "--no-options", *SMALL, "--html", "page.html"],
        ["cost", HOLDING, "--html", "page.html"],
        ["explore", HOLDING],
    ],
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with a certificate, a saved schedule, and one that is of a tree."""
    folder = tmp_path_factory.mktemp("inputs")
    for arguments in (
        ["check", HOLDING, *SMALL, "--certificate", "certificate", "-q"],
        ["check", "linux-v2-06", "--save", "saved.json", "-q"],
    ):
        run_without([], *arguments, cwd=folder)
    kernel = (
        '{"tree": ".", "patches": [], "key": "", "bounds": [], "schedule": [], "points": '
        '{"task_reads": [], "task_writes": [], "shared": [], "data": [], "remote": [], '
        '"tss_bitmap": false, "interrupts": false}}'
    )
    saved = (folder / "saved.json").read_text()
    (folder / "tree.json").write_text(saved.replace('"kernel": null', f'"kernel": {kernel}'))
    return folder


@pytest.mark.parametrize("arguments", CORE.values(), ids=CORE)
def test_designs_need_no_extra(arguments: list[str], inputs: Path) -> None:
    """Whatever is about designs works without any library of an extra."""
    ran = run_without(OPTIONAL, *arguments, cwd=inputs)
    assert "pip install" not in ran.stderr
    violated = "linux-v2-06" in arguments or arguments[0] == "replay"
    assert ran.returncode == (1 if violated else 0), ran.stderr


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [(extra, each) for extra, commands in NEEDING.items() for each in commands],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_missing_extra_is_named(extra: str, arguments: list[str], inputs: Path) -> None:
    """One line names the libraries and the extra; the status is 2, nothing is done."""
    ran = run_without(OPTIONAL, *arguments, cwd=inputs)
    libraries = " and ".join(EXTRAS[extra].values())
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        f"iopermit: error: this needs {libraries}; install it: pip install 'iopermit[{extra}]' "
        "[missing-extra]\n"
    )
    assert not (inputs / "costs.svg").exists()


@pytest.mark.parametrize("module", OPTIONAL)
def test_one_missing_library_is_enough(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single library of an extra, the extra is missing."""
    monkeypatch.setitem(sys.modules, module, None)
    for extra, modules in EXTRAS.items():
        if module in modules:
            with pytest.raises(MissingExtraError, match=re.escape(f"iopermit[{extra}]")):
                require(extra)
        else:
            require(extra)


def test_a_library_that_fails_to_load_is_named_too() -> None:
    """An import that fails later, in a library that seems to be there, is told like one missing."""
    broken = ImportError("libunicorn.so: cannot open", name="unicorn.unicorn")
    assert "iopermit[run]" in str(extra_of(broken, ["run", "/bin/true"]))
    assert "iopermit[kernel]" in str(extra_of(broken, ["check", "--kernel", "."]))
    assert extra_of(ImportError("no module", name="mine"), ["check"]) is None
    assert extra_of(ImportError("no name"), ["check"]) is None


def test_the_package_declares_the_same_extras() -> None:
    """pyproject.toml has these extras with these distributions, `all` has every one of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        names = {Requirement(each).name for each in declared[extra]}
        assert names == set(modules.values())
    (every,) = map(Requirement, declared["all"])
    assert (every.name, every.extras) == ("iopermit", set(EXTRAS))
    core = {Requirement(each).name for each in project["dependencies"]}
    assert core == {"llvmlite", "numpy", "rich", "typer"}
