"""The wheel: what is in it, what an index shows of it, and that it runs from anywhere."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest
from packaging.version import Version
from ruamel.yaml import YAML

import iopermit
from iopermit.report.findings.codes import HOMEPAGE

ROOT: Final = Path(__file__).parent.parent
READ_ONLY: Final = "/sys"
"""A home directory in which nobody can make a file, not even root."""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with the wheel and the source distribution, built without a network."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "-n", "-o", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    """Give the wheel."""
    (found,) = distributions.glob("*.whl")
    return found


def metadata(wheel: Path) -> email.message.Message:
    """Return what a wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_an_index_accepts_the_metadata(distributions: Path) -> None:
    """The strict check for uploads finds nothing wrong, the description included."""
    files = sorted(distributions.iterdir())
    assert len(files) == 2
    checked = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_wheel_has_the_whole_package(wheel: Path) -> None:
    """Every file below src/iopermit is in the wheel, its metadata, the manual page, no more."""
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "iopermit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    (page,) = packed - expected
    assert page.endswith(".data/data/share/man/man1/iopermit.1")
    assert packed > expected


def test_the_description_is_the_readme(wheel: Path) -> None:
    """An index shows the README, whose links are addresses there and lead to files that exist."""
    description = str(metadata(wheel).get_payload())
    links = re.findall(r"\]\(([^)\s]+)\)", description)
    assert metadata(wheel)["Description-Content-Type"] == "text/markdown"
    assert description.startswith("# iopermit")
    assert len(links) > 10
    start = f"{HOMEPAGE}/blob/main/"
    for link in links:
        assert link.startswith(("https://", "#"))
        if link.startswith(start):
            assert (ROOT / link.removeprefix(start).partition("#")[0]).exists()


def test_every_supported_python_is_a_classifier(wheel: Path) -> None:
    """The Pythons that an index lists are those that continuous integration runs."""
    shown = metadata(wheel).get_all("Classifier") or []
    listed = [each.rpartition(" ")[2] for each in shown if re.search(r":: 3\.\d+$", each)]
    workflow = YAML(typ="safe").load(ROOT / ".github/workflows/ci.yml")
    assert listed == workflow["jobs"]["test"]["strategy"]["matrix"]["python"]


def test_it_runs_from_anywhere_without_a_home(wheel: Path, tmp_path: Path) -> None:
    """The unpacked wheel finds the leak from another directory, with a home it cannot write to."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = (
        "import sys, iopermit, iopermit.cli; print(iopermit.__file__); "
        "sys.exit(iopermit.cli.main(['check', 'linux-v2-06', '--sarif', 'found.sarif']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=elsewhere,
        env={"HOME": READ_ONLY, "PATH": os.defpath, "PYTHONPATH": str(tmp_path / "site")},
    )
    where, headline, *_ = ran.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path / "site")
    assert headline.startswith("BUG: port leak in linux-v2-06")
    assert ran.returncode == 1
    assert (elsewhere / "found.sarif").is_file()


def test_versions_agree(wheel: Path) -> None:
    """The package, the changelog and the citation name the same version and date."""
    version = iopermit.__version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(r"^## \[(\d\S*)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert released is not None
    assert str(Version(version)) == version == metadata(wheel)["Version"] == released[1]
    assert (citation["version"], citation["date-released"]) == (version, released[2])


def test_addresses_agree() -> None:
    """The package, its metadata and the citation name one home page."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert HOMEPAGE == project["urls"]["Homepage"] == citation["url"] == citation["repository-code"]


def test_the_citation_keeps_to_its_schema() -> None:
    """CITATION.cff is what the Citation File Format allows."""
    check = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema"]
    checked = subprocess.run(
        [*check, "vendor.citation-file-format", str(ROOT / "CITATION.cff")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_image_is_built_from_what_is_there() -> None:
    """The image has a Python and extras that the package has, and the tools that builds need."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = set(re.findall(r"^FROM python:(3\.\d+)-", text, re.MULTILINE))
    extra = re.search(r"^ARG EXTRAS=\[(\w+)\]$", text, re.MULTILINE)
    assert all(f"Programming Language :: Python :: {p}" in project["classifiers"] for p in pythons)
    assert len(pythons) == 1
    assert extra is not None
    assert extra[1] in project["optional-dependencies"]
    for tool in ("make", "gcc", "flex", "bison", "bc", "bubblewrap"):
        assert re.search(rf"\s{tool}\s", text), tool
