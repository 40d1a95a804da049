"""Finds the source of a design's methods, and reports errors in it as a compiler does."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from dataclasses import dataclass
from pathlib import Path

from iopermit.system.design import Design
from iopermit.system.site import Site


class DesignError(Exception):
    """Something in a design file that iopermit cannot accept.

    ``str()`` gives the message in the form of a compiler: file, line, column, what is wrong,
    the line itself with a caret, and what to write instead.
    """

    def __init__(self, site: Site, message: str, remedy: str = "") -> None:
        """Describe the error at ``site``."""
        self.site, self.message, self.remedy = site, message, remedy
        super().__init__(self._text())

    def _text(self) -> str:
        site = self.site
        lines = [f"{site.file}:{site.line}:{site.column + 1}: error: {self.message}"]
        code = linecache.getline(site.file, site.line).rstrip() or site.text
        if code:
            lines += [f"    {code}", "    " + _caret_indent(code, site.column) + "^"]
        if self.remedy:
            lines.append(f"  write instead: {self.remedy}")
        return "\n".join(lines)


def _caret_indent(code: str, column: int) -> str:
    return "".join("\t" if c == "\t" else " " for c in code[:column])


def not_in_the_language(site: Site, error: BaseException) -> DesignError:
    """Return the error for a design that Python accepts and the translation does not understand."""
    return DesignError(
        site,
        f"this design is not understood: {type(error).__name__}: {error_text(error)}",
        "only what docs/writing-a-design.md lists; if it keeps to that, please report it",
    )


def error_text(error: BaseException) -> str:
    """Return what an error says, in one line; even that may fail."""
    try:
        return " ".join(str(error).split())[:300]
    except Exception:  # noqa: BLE001 - a design's own exception class
        return "(it cannot be printed)"


def class_site(cls: type) -> Site:
    """Return where a class is defined, as far as that can be told."""
    try:
        lines, line = inspect.getsourcelines(cls)
        return Site(inspect.getsourcefile(cls) or "?", line, 0, lines[0].strip(), cls.__name__)
    except (OSError, TypeError, KeyError):
        return Site("?", 0, 0, "", str(getattr(cls, "__name__", cls)))


def is_shipped(design: type[Design]) -> bool:
    """Return whether a design is one of iopermit's own: what fails then is iopermit's fault."""
    return str(design.__module__).startswith("iopermit.")


@dataclass(frozen=True)
class Method:
    """A method of a design with its syntax tree."""

    name: str
    node: ast.FunctionDef
    file: str

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters after ``self``."""
        return [a.arg for a in self.node.args.args[1:]]

    @property
    def body(self) -> list[ast.stmt]:
        """The statements without the docstring."""
        body = self.node.body
        return body[1:] if body and _is_docstring(body[0]) else body

    def site(self, node: ast.AST) -> Site:
        """Return where ``node`` stands."""
        line = getattr(node, "lineno", self.node.lineno)
        text = linecache.getline(self.file, line).strip()
        return Site(self.file, line, getattr(node, "col_offset", 0), text, self.name)

    def error(self, node: ast.AST, message: str, remedy: str = "") -> DesignError:
        """Return an error about ``node``."""
        return DesignError(self.site(node), message, remedy)

    @property
    def expression(self) -> ast.expr | None:
        """The expression of a method that is just ``return expression``, or None."""
        if len(self.body) == 1 and isinstance(self.body[0], ast.Return):
            value = self.body[0].value
            if value is not None and not any(
                isinstance(n, ast.Call) and _has_effect(n) for n in ast.walk(value)
            ):
                return value
        return None


EFFECTS = frozenset(
    {
        "allocate",
        "free",
        "next_sequence",
        "copy_from",
        "fill",
        "change",
        "extent",
        "load_task_register",
    }
)
"""Operations of the language that change state or take several steps."""


def _has_effect(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in EFFECTS


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@functools.cache
def _functions(file: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a file by qualified name."""
    found: dict[str, ast.FunctionDef] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                found[prefix + child.name] = child

    visit(ast.parse(Path(file).read_text(encoding="utf-8"), file), "")
    return found


def find_method(design: type[Design], name: str) -> Method | None:
    """Return the method that ``design`` has under ``name``, or None if it has none.

    Raises DesignError if Python would execute something else than what is written there.
    """
    function = inspect.getattr_static(design, name, None)
    if not inspect.isfunction(function):
        return None
    file = function.__code__.co_filename
    node = _functions(file).get(function.__qualname__)
    if node is None:
        return None
    method = Method(name, node, file)
    if node.decorator_list:
        text = ast.unparse(node.decorator_list[0])
        raise method.error(node.decorator_list[0], f"the language has no @{text}", "a plain method")
    if function.__code__.co_firstlineno != node.lineno:
        # Another function under this name, as a wrapper that functools.wraps() made.
        return None
    if [argument.arg for argument in node.args.args[:1]] != ["self"]:
        parameters = ", ".join(["self", *method.parameters])
        message = f"the first parameter of {name}() is not self"
        raise method.error(node, message, f"def {name}({parameters})")
    return method


def is_overridden(design: type[Design], name: str) -> bool:
    """Return whether ``design`` or a base class other than Design itself defines ``name``."""
    return getattr(design, name, None) is not getattr(Design, name, None)
