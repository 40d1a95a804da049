"""Writes the hooks of a design of a given shape, as source text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.system.events.hooks import HOOKS

if TYPE_CHECKING:
    from tools.fuzz_designs.generation.shapes import Shape

Lines = list[str]

DECLARATIONS: Final = {
    **{hook.name: hook.declaration for hook in HOOKS.values()},
    "apply": "def apply(self, cpu: Cpu, task: Task) -> None:",
    "load": "def load(self, cpu: Cpu, task: Task) -> None:",
    "grade": "def grade(self, task: Task) -> int:",
    "settle": "def settle(self, cpu: Cpu, task: Task) -> int:",
    "map_in_force": "def map_in_force(self, cpu: Cpu) -> IoMapBase:",
    "limit_covers_map": "def limit_covers_map(self, cpu: Cpu) -> bool:",
    "iopl_in_force": "def iopl_in_force(self, cpu: Cpu, task: Task) -> int:",
}
"""The first line of every method that a random design can have."""


def method(name: str, body: Lines) -> str:
    """Return the text of a method."""
    return DECLARATIONS[name] + "\n" + textwrap.indent("\n".join(body), "    ")


def block(head: str, body: Lines) -> Lines:
    """Return a compound statement."""
    return [head, *(f"    {line}" for line in body)]


def calm(body: Lines) -> Lines:
    """Return statements with preemption off."""
    return block("with cpu.preemption_disabled():", body)


BARE: Final[dict[str, Lines]] = {
    "ioperm": ["return -EPERM"],
    "iopl": ["return -EPERM"],
    "switch_to": ["cpu.tss.io_map_base = IoMapBase.INVALID"],
}
"""A design that grants nothing, to which random statements are added: few states, many steps."""


class Skeleton:
    """The hooks of a design of one shape."""

    def __init__(self, shape: Shape) -> None:
        """Write for ``shape``."""
        self.shape = shape

    def methods(self) -> dict[str, Lines]:
        """Return the body of every method, by name; a hook without a body is left out."""
        found = {
            "bring_up": ["cpu.tss.bitmap.fill()"],
            "ioperm": self.ioperm(),
            "iopl": self.iopl(),
            "switch_to": self.switch_to(),
            "return_to_user": self.return_to_user(),
            "fork": self.fork(),
            "fork_failed": self.fork_failed(),
            "exit": self.exit(),
            "execve": self.execve(),
            "vm_exit": self.vm_exit(),
            "read_map": self.read_map(),
            "general_protection": self.general_protection(),
            "apply": self.apply(),
            "load": self.load(),
            **self.consulted(),
        }
        return {name: body for name, body in found.items() if body}

    def base(self, value: str) -> Lines:
        """Return the statements that make the processor consult another map, or none."""
        stored = f"IoMapBase.{value}"
        lines = [f"cpu.tss.io_map_base = {stored}"]
        match self.shape.consulted:
            case "cpu":
                lines.append(f"cpu.in_force = {stored}")
            case "globals":
                lines.append(f"self.globals.in_force = {stored}")
            case "chosen":
                lines.append(f"cpu.open = {value != 'INVALID'}")
        return lines

    def ioperm(self) -> Lines:
        """Change the task's own map, then what depends on it."""
        shape = self.shape
        lines = ["if not ports.is_valid():", "    return -EINVAL"]
        lines += ["if turn_on and not task.privileged:", "    return -EPERM"]
        if shape.on_heap:
            lines += self._first_object()
        if shape.storage == "shared":
            lines += self._own_object()
        change = [] if shape.on_heap else ["if not task.has_map:", "    task.bits.fill()"]
        change += [] if shape.on_heap else ["    task.has_map = True"]
        change.append(f"{shape.bits('task')}.change(ports, turn_on)")
        change += self._new_tag()
        match shape.load:
            case "switch":
                change.append("self.apply(cpu, task)")
            case "mark":
                change += ["self.apply(cpu, task)", "task.stale = False"]
            case "fault":
                change += self.base("INVALID")
        return [*lines, *calm(change), "return 0"]

    def _first_object(self) -> Lines:
        body = ["new = self.allocate(Map)", "if new is NULL:", "    return -ENOMEM"]
        body.append("new.bits.fill()")
        if self.shape.storage == "shared":
            body.append("new.refcnt = 1")
        return block("if task.map is NULL:", [*body, "task.map = new"])

    def _own_object(self) -> Lines:
        body = ["copy = self.allocate(Map)", "if copy is NULL:", "    return -ENOMEM"]
        body += ["copy.refcnt = 1", "copy.bits.copy_from(old.bits)", "task.map = copy"]
        body += ["if self.refcount_dec_and_test(old):", "    self.free(old)"]
        return ["old = task.map", *block("if old.refcnt > 1:", body)]

    def _new_tag(self) -> Lines:
        match self.shape.tag:
            case "sequence":
                return [f"{self.shape.sequence('task')} = self.next_sequence()"]
            case "owner" | "object":
                return ["cpu.tss.owner = NULL"]
        return []

    def apply(self) -> Lines:
        """Make the TSS right for a task."""
        lines: Lines = []
        if self.shape.limit == "later":
            lines = block("if cpu.low:", ["cpu.load_task_register()", "cpu.low = False"])
        loaded = block(f"if {self.shape.has('task')}:", ["self.load(cpu, task)"])
        loaded += block("else:", self.base("INVALID"))
        if self.shape.iopl != "map":
            return lines + loaded
        return [*lines, *block("if task.raw == 3:", self.base("ALL")), *block("else:", loaded)]

    def load(self) -> Lines:
        """Copy the task's map unless the TSS has it, and make the base valid."""
        shape, bits = self.shape, self.shape.bits("task")
        copy = [f"cpu.tss.bitmap.copy_from({bits})"]
        if shape.dirty:
            copy = [
                f"longs = {bits}.extent()",
                f"cpu.tss.bitmap.copy_from({bits}, max(cpu.tss.dirty, longs))",
                "cpu.tss.dirty = longs",
            ]
        tagged = {
            "none": ("", ""),
            "sequence": ("cpu.tss.sequence != {0}", "cpu.tss.sequence = {0}"),
            "owner": ("cpu.tss.owner is not task", "cpu.tss.owner = task"),
            "object": ("cpu.tss.owner is not task.map", "cpu.tss.owner = task.map"),
        }
        test, note = (text.format(shape.sequence("task")) for text in tagged[shape.tag])
        if test:
            copy = block(f"if {test}:", [*copy, note])
        return [*copy, *self.base("VALID")]

    def switch_to(self) -> Lines:
        """Load the map of the following task, or make the old one invalid."""
        if self.shape.load == "switch":
            return ["self.apply(cpu, following)"]
        marked = ["following.stale = True"] if self.shape.load == "mark" else []
        return [*self.base("INVALID"), *marked]

    def return_to_user(self) -> Lines:
        """Load the map if it is not loaded at the switch."""
        match self.shape.load:
            case "return":
                return ["self.apply(cpu, task)"]
            case "mark":
                return block("if task.stale:", ["task.stale = False", "self.apply(cpu, task)"])
        return self.base("INVALID") if self.shape.again == "spoiled" else []

    def iopl(self) -> Lines:
        """Set the level, if the design has any."""
        if self.shape.iopl == "none":
            return ["return -EPERM"]
        lines = ["if level > 3:", "    return -EINVAL"]
        if self.shape.iopl == "flag":
            lines += ["if level == 3 and not task.privileged:", "    return -EPERM"]
            return [*lines, "task.raw = level == 3", "return 0"]
        lines += ["if level > task.raw and not task.privileged:", "    return -EPERM"]
        if self.shape.iopl == "map" and self.shape.load in {"switch", "mark"}:
            return [*lines, *calm(["task.raw = level", "self.apply(cpu, task)"]), "return 0"]
        return [*lines, "task.raw = level", "return 0"]

    def fork(self) -> Lines:
        """Give the child a map like its parent's."""
        if not self.shape.on_heap:
            return []
        lines = ["child.map = NULL", "if child.kernel_thread:", "    return 0"]
        if self.shape.storage == "shared":
            body = ["task.map.refcnt += 1", "child.map = task.map"]
        else:
            body = ["new = self.allocate(Map)", "if new is NULL:", "    return -ENOMEM"]
            body.append("new.bits.copy_from(task.map.bits)")
            if self.shape.tag == "sequence":
                body.append("new.sequence = task.map.sequence")
            body.append("child.map = new")
        return [*lines, *block("if task.map is not NULL:", body), "return 0"]

    def _put(self) -> Lines:
        if self.shape.storage == "shared":
            return ["if self.refcount_dec_and_test(old):", "    self.free(old)"]
        return ["self.free(old)"]

    def fork_failed(self) -> Lines:
        """Take the child's map back."""
        if not self.shape.on_heap:
            return []
        return [
            "old = child.map",
            *block("if old is not NULL:", ["child.map = NULL", *self._put()]),
        ]

    def exit(self) -> Lines:
        """Take the map away."""
        shape = self.shape
        if not shape.on_heap:
            forget = block("if cpu.tss.owner is task:", ["cpu.tss.owner = NULL"])
            return calm([*forget, *self.base("INVALID")]) if shape.tag == "owner" else []
        forget = []
        if shape.tag in {"owner", "object"}:
            mine = "task" if shape.tag == "owner" else "old"
            forget = block(f"if cpu.tss.owner is {mine}:", ["cpu.tss.owner = NULL"])
        away = calm(["task.map = NULL", *forget, *self.base("INVALID")])
        return ["old = task.map", *block("if old is not NULL:", [*away, *self._put()])]

    def execve(self) -> Lines:
        """Start a program: a processor's IOPL is gone then."""
        return {"level": ["task.raw = 0"], "flag": ["task.raw = False"]}.get(self.shape.iopl, [])

    def vm_exit(self) -> Lines:
        """Repair the limit, now or later."""
        if self.shape.limit == "none":
            return []
        now = ["cpu.load_task_register()"]
        if self.shape.limit == "once":
            return now
        return [
            *block(f"if {self.shape.has('cpu.current')}:", now),
            *block("else:", ["cpu.low = True"]),
        ]

    def read_map(self) -> Lines:
        """Look at the map of another task, without a reference to it of its own."""
        if not self.shape.on_heap:
            return ["longs = target.bits.extent()"]
        return ["old = target.map", *block("if old is not NULL:", ["longs = old.bits.extent()"])]

    def general_protection(self) -> Lines:
        """Load the map that was not loaded yet, and say whether the access can be repeated."""
        if self.shape.load != "fault":
            return []
        if self.shape.again == "blind":
            return ["return True"]
        body = block(
            "if cpu.tss.io_map_base == IoMapBase.INVALID:",
            block(f"if {self.shape.has('task')}:", ["self.apply(cpu, task)", "return True"]),
        )
        first = block("if not task.tried:", ["task.tried = True", "return True"])
        first = [*first, "task.tried = False"] if self.shape.again == "second" else []
        return [*first, *calm(body), f"return {self.shape.again == 'always'}"]

    def consulted(self) -> dict[str, Lines]:
        """Return the functions that say what the processor consults."""
        shape = self.shape
        base = {"cpu": "cpu.in_force", "globals": "self.globals.in_force"}.get(
            shape.consulted, "cpu.tss.io_map_base"
        )
        if shape.consulted == "chosen":
            base = f"{base} if cpu.open else IoMapBase.INVALID"
        elif shape.disguise == 1:
            base = f"{base} if cpu.current is not NULL else IoMapBase.INVALID"
        found = {} if base == "cpu.tss.io_map_base" else {"map_in_force": [f"return {base}"]}
        if shape.disguise == 2:
            found["limit_covers_map"] = ["return not cpu.tr_limit_low and cpu.current is not NULL"]
        level = {"level": "task.raw", "flag": "3 if task.raw else 0"}.get(shape.iopl)
        if level is not None:
            forms = {3: "max({0}, 0)", 4: "min({0}, 3)"} if shape.iopl == "level" else {}
            level = forms.get(shape.disguise, "{0}").format(level)
            found["iopl_in_force"] = [f"return {level}"]
        return found
