"""Finds a design and the syntax trees of its methods, without the translator's help."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iopermit.certify.errors import UnacceptableError
from iopermit.designs import UnknownDesignError, find
from iopermit.designs.trial import failure_of, kept
from iopermit.system.design import Design
from iopermit.system.options import with_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import ModuleType

_EFFECTS = frozenset(
    {"allocate", "free", "next_sequence", "copy_from", "fill", "change", "extent"}
    | {"load_task_register", "refcount_dec_and_test"}
)
"""Operations that change state or take more than one step, so that no expression has them."""


@dataclass(frozen=True)
class Method:
    """A method of a design: its syntax tree, and the names that its module gives it."""

    name: str
    node: ast.FunctionDef
    file: str
    names: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters behind ``self``."""
        return [argument.arg for argument in self.node.args.args[1:]]

    @property
    def body(self) -> list[ast.stmt]:
        """The statements behind the docstring."""
        body = self.node.body
        return body[1:] if ast.get_docstring(self.node, clean=False) is not None else body

    @property
    def expression(self) -> ast.expr | None:
        """The expression of a method that only returns one without effects; else None."""
        match self.body:
            case [ast.Return(value=ast.expr() as value)] if not _has_effect(value):
                return value
        return None

    def unacceptable(self, node: ast.AST, message: str) -> UnacceptableError:
        """Return an error about a piece of code."""
        place = f"{self.file}:{getattr(node, 'lineno', self.node.lineno)}"
        return UnacceptableError(f"{place}: {message}: the checker cannot interpret this")


def _has_effect(expression: ast.expr) -> bool:
    calls = (n.func for n in ast.walk(expression) if isinstance(n, ast.Call))
    return any(isinstance(called, ast.Attribute) and called.attr in _EFFECTS for called in calls)


def find_method(design: type[Design], name: str) -> Method | None:
    """Return the method of that name, or None if the design has none.

    Raises:
        UnacceptableError: Python would execute something else than what is written there.
    """
    function = inspect.getattr_static(design, name, None)
    if function is None:
        return None
    if not inspect.isfunction(function):
        raise UnacceptableError(f"{design.__name__}.{name} is no plain method")
    file = function.__code__.co_filename
    node = _functions(file).get(function.__qualname__)
    if node is None or node.decorator_list or function.__code__.co_firstlineno != node.lineno:
        raise UnacceptableError(f"{file}: {name}() is not written out as Python executes it")
    method = Method(name, node, file, function.__globals__)
    if [argument.arg for argument in node.args.args[:1]] != ["self"]:
        raise method.unacceptable(node, f"{name}() without self")
    return method


def has_hook(design: type[Design], name: str) -> bool:
    """Return whether the design (not only the interface) defines a hook."""
    own = getattr(design, name, None)
    return callable(own) and own is not getattr(Design, name, None)


@functools.cache
def _functions(file: str) -> dict[str, ast.FunctionDef]:
    found: dict[str, ast.FunctionDef] = {}

    def visit(body: Sequence[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                found[prefix + node.name] = node

    visit(ast.parse(Path(file).read_bytes(), file).body, "")
    return found


def load(name: str, class_name: str, options: Sequence[str]) -> type[Design]:
    """Return a design: a known id, or a class in a Python file, which is executed.

    Raises:
        UnacceptableError: there is no such design.
    """
    try:
        design = _from_file(Path(name), class_name) if name.endswith(".py") else find(name)
        return with_options(design, dict.fromkeys(options, True))
    except (UnknownDesignError, ValueError) as error:
        raise UnacceptableError(str(error)) from error


def _from_file(file: Path, class_name: str) -> type[Design]:
    module_name = f"certified_{hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, file)
        if spec is None or spec.loader is None or not file.is_file():
            raise UnacceptableError(f"{file}: no such design file; name it with --design FILE")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        sys.path.insert(0, str(file.resolve().parent))
        try:
            _execute(spec.loader, module, file)
        except Exception as error:
            del sys.modules[module_name]
            raise UnacceptableError(f"{file} cannot be imported: {error!r}") from error
        finally:
            sys.path.pop(0)
    found = getattr(sys.modules[module_name], class_name, None)
    if not (inspect.isclass(found) and issubclass(found, Design)):
        raise UnacceptableError(f"{file} has no design {class_name}")
    return found


def _execute(loader: Loader, module: ModuleType, file: Path) -> None:
    """Execute a file, in a child process first: what it does to this one is undone."""
    failure = failure_of(lambda: loader.exec_module(module), str(file), None)
    if failure is not None:
        raise UnacceptableError(f"{file} cannot be imported: {failure.message}")
    with kept():
        loader.exec_module(module)
    module.__file__ = str(file)
