"""Tests of loading designs whose hooks are executed as Python."""

from pathlib import Path

import pytest

from iopermit.designs import find
from iopermit.engine.executable import executable_design, executing
from iopermit.system.crash import NullDereference
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError

USERS = '''"""A design of a user."""

from iopermit.designs.linux.v5_4 import Linux54
from iopermit.system.machine_state import Cpu, IoMapBase

Task = Linux54.Task


class Users(Linux54):
    """Something of a user's."""

    id = "users"

    def execve(self, cpu: Cpu, task: Task) -> None:
        """Do something."""
        STATEMENT
'''


def written(folder: Path, statement: str) -> str:
    """Return the name of a design with a statement in a hook."""
    file = folder / "users.py"
    file.write_text(USERS.replace("STATEMENT", statement), encoding="utf-8")
    return f"{file}:Users"


def test_a_design_in_the_language_is_loaded(tmp_path: Path) -> None:
    """A shipped design, and one of a user that keeps to the language."""
    assert executable_design("linux-5.4") is find("linux-5.4")
    name = written(tmp_path, "cpu.tss.io_map_base = IoMapBase.INVALID")
    assert executable_design(name).id == "users"


@pytest.mark.parametrize("statement", ["print(cpu)", "cpu.nothing = 1", "cpu.tss.bitmap.clear()"])
def test_what_only_python_knows_is_refused(tmp_path: Path, statement: str) -> None:
    """Nothing of it is executed: the message names the place."""
    name = written(tmp_path, statement)
    assert load_design(name).id == "users"
    with pytest.raises(DesignError) as error:
        executable_design(name)
    assert error.value.site.line == 16


def test_what_fails_when_it_is_executed_is_the_design_s(tmp_path: Path) -> None:
    """An exception of a user's design is an error about it; a shipped one's is a fault of ours."""
    design = executable_design(written(tmp_path, "cpu.tss.io_map_base = IoMapBase.INVALID"))
    with pytest.raises(DesignError, match="not understood: TypeError: no"), executing(design):
        raise TypeError("no")
    with pytest.raises(TypeError), executing(find("linux-5.4")):
        raise TypeError("no")


def test_a_crash_of_the_kernel_is_no_error_of_the_design(tmp_path: Path) -> None:
    """What the design says of its kernel passes as it is."""
    design = executable_design(written(tmp_path, "cpu.tss.io_map_base = IoMapBase.INVALID"))
    with pytest.raises(NullDereference), executing(design):
        raise NullDereference("NULL")
