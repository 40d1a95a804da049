"""Tests of the declarations of the hooks (src/iopermit/system/events/hooks.py)."""

import inspect

import pytest

from iopermit.designs import designs
from iopermit.system.design import Design
from iopermit.system.events import hooks
from iopermit.system.events.hooks import HOOKS, Hook


def test_a_name_is_declared_once() -> None:
    """A second hook of the same name is refused."""
    with pytest.raises(ValueError, match="there is a hook 'exit' already"):
        hooks.declare(Hook("exit", "another one", ()))


def test_the_declaration_is_the_line_that_a_design_writes() -> None:
    """Parameters have their types, and the result has its own."""
    wanted = "def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:"
    assert hooks.IOPERM.declaration == wanted
    assert hooks.EXIT.declaration == "def exit(self, cpu: Cpu, task: Task) -> None:"


def test_neither_off_means_preemptible() -> None:
    """A hook is preemptible unless preemption or interrupts are off."""
    assert hooks.IOPERM.preemptible
    assert not hooks.VM_EXIT.preemptible
    assert not hooks.SWITCH_TO.preemptible


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_designs_have_hooks_as_they_are_declared(hook: Hook) -> None:
    """Every design that has a hook has it with the declared number of parameters, named alike."""
    for design in designs().values():
        method = getattr(design, hook.name, None)
        if method is not None:
            names = list(inspect.signature(method).parameters)
            assert names == ["self", *(p.name for p in hook.parameters)], design.id


@pytest.mark.parametrize("hook", HOOKS.values(), ids=lambda hook: hook.name)
def test_what_is_required_is_in_the_interface(hook: Hook) -> None:
    """The interface of a design has a method for every hook that a design must have."""
    assert hasattr(Design, hook.name) or not hook.required
