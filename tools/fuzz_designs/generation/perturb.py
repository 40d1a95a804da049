"""Makes small random mistakes in a right design: what is left out, moved, repeated, unguarded."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from tools.fuzz_designs.generation.noise import blocks

if TYPE_CHECKING:
    import random

    from tools.fuzz_designs.generation.skeleton import Lines

_KEPT: Final = ("is_valid", "privileged", "allocate", "EPERM", "EINVAL", "ENOMEM", "new is NULL")
"""What is not changed: without it a design violates at once, or is refused."""

_CHANGES: Final = ("remove", "swap", "repeat", "unwrap", "wrap", "move", "leave", "leave", "weaken")


def perturb(rng: random.Random, bodies: dict[str, Lines]) -> dict[str, Lines]:
    """Return the bodies with one mistake in one of them."""
    hooks = [h for h in bodies if h not in {"map_in_force", "limit_covers_map", "iopl_in_force"}]
    hook = rng.choice(hooks)
    tree = ast.parse("\n".join(bodies[hook]))
    _change(rng, rng.choice(list(blocks(tree))))
    for block in blocks(tree):
        if not block:
            block.append(ast.Pass())
    text = ast.unparse(ast.fix_missing_locations(tree)) or "pass"
    return {**bodies, hook: text.splitlines()}


def _change(rng: random.Random, block: list[ast.stmt]) -> None:
    """Change a block in place, if there is anything in it to change."""
    places = [at for at, node in enumerate(block) if _is_free(node)]
    if not places:
        return
    at, kind = rng.choice(places), rng.choice(_CHANGES)
    node = block[at]
    match kind:
        case "remove":
            block[at] = ast.Pass()
        case "repeat" if not isinstance(node, ast.If):
            block.insert(at, node)
        case "unwrap" if isinstance(node, ast.With | ast.If):
            block[at : at + 1] = node.body
        case "swap" if at + 1 in places:
            block[at], block[at + 1] = block[at + 1], block[at]
        case "wrap" if not _has_region(node):
            call = ast.parse("cpu.preemption_disabled()", mode="eval").body
            block[at] = ast.With([ast.withitem(call)], [node], lineno=1)
        case "leave" if isinstance(node, ast.With) and len(node.body) > 1:
            _leave(rng, block, at, node)
        case "weaken":
            block[at] = _Weaker().visit(node)
        case "move":
            block.insert(rng.choice(places), block.pop(at))


class _Weaker(ast.NodeTransformer):
    """Puts the first operand in the place of the larger of two."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace ``max(a, b)`` by ``a``."""
        self.generic_visit(node)
        return node.args[0] if ast.unparse(node.func) == "max" else node


def _leave(rng: random.Random, block: list[ast.stmt], at: int, region: ast.With) -> None:
    """Move the last statement of a region behind it, or the first before it."""
    if rng.random() < 0.7:
        block.insert(at + 1, region.body.pop())
    else:
        block.insert(at, region.body.pop(0))


def _is_free(node: ast.stmt) -> bool:
    text = ast.unparse(node)
    return not isinstance(node, ast.Return) and not any(
        word in text.splitlines()[0] or (word in text and isinstance(node, ast.Assign))
        for word in _KEPT
    )


def _has_region(node: ast.stmt) -> bool:
    return any(isinstance(inner, ast.With) for inner in ast.walk(node))
