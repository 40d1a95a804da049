"""Tests that the checker of certificates reads what Python executes, or refuses."""

import importlib.util
from pathlib import Path

import pytest

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.source import find_method
from iopermit.designs import find
from iopermit.system.design import Design

USERS = '''"""Methods that are not what they look like."""

import functools

from iopermit.designs.linux.v5_4 import Linux54


def around(function):
    """Execute something else."""

    @functools.wraps(function)
    def other(self, cpu, task):
        pass

    return other


class Users(Linux54):
    """A design of a user."""

    @(lambda function: function)
    def fork_failed(self, cpu, task, child):
        pass

    def execve(this, cpu, task):
        pass

    def plain(self):
        pass

    def exit(self, cpu, task):
        pass

    exit = around(exit)
    ioperm = lambda self, cpu, task, ports, turn_on: 0
    iopl = functools.partial(print)
'''


@pytest.fixture
def users(tmp_path: Path) -> type[Design]:
    """Give the class of the file."""
    file = tmp_path / "users.py"
    file.write_text(USERS, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("users_of_certify", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Design] = module.Users
    return found


def test_methods_that_are_written_out(users: type[Design]) -> None:
    """A plain method is found with its text; what a design does not have is nothing."""
    method = find_method(users, "plain")
    assert method is not None
    assert method.node.name == "plain"
    assert find_method(users, "nothing") is None
    assert find_method(find("linux-5.4"), "switch_to") is not None


@pytest.mark.parametrize("name", ["fork_failed", "execve", "exit", "ioperm", "iopl"])
def test_what_is_executed_otherwise_is_refused(users: type[Design], name: str) -> None:
    """Decorated, wrapped, without self, an expression, no function: none can be interpreted."""
    with pytest.raises(UnacceptableError):
        find_method(users, name)
