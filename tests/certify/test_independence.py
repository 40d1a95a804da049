"""Tests that the checker of certificates shares no code with what it checks."""

import subprocess
import sys
from pathlib import Path

import grimp
from tests.support.certify.certificates import FEW, OWN_DESIGN, certificate, scenario

CHECKED = ("iopermit.translate", "iopermit.search")


def test_checker_imports_neither_translator_nor_search() -> None:
    """No module of the checker imports the translator or the search, directly or not."""
    imports = grimp.build_graph("iopermit", cache_dir=None, exclude_type_checking_imports=False)
    own = {"iopermit.certify", *imports.find_descendants("iopermit.certify")}
    reached = set().union(*(imports.find_upstream_modules(module) for module in own))
    assert len(own) > 10
    assert not [module for module in reached if module.startswith(CHECKED)]


def test_checking_loads_neither_translator_nor_search(tmp_path: Path) -> None:
    """While a certificate is checked, no module of the translator, search or LLVM is loaded."""
    certificate(tmp_path / "it", OWN_DESIGN, scenario(1, 1, 1, FEW))
    script = (
        "import sys, pathlib\n"
        "from iopermit.certify.checker import certify\n"
        "assert not certify(pathlib.Path(sys.argv[1])).refutation\n"
        "print(*sys.modules)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "it")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "iopermit.certify.checker" in loaded
    assert not [name for name in loaded if name.startswith((*CHECKED, "llvmlite"))]
