"""The initial state of a model: what bring-up leaves, with every task plain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iopermit.system.bitmap import Bitmap, Geometry
from iopermit.system.records import Record, declared_fields
from iopermit.translate.model.nodes import KERNEL_THREAD, USER, RecordName

if TYPE_CHECKING:
    from collections.abc import Generator

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model

InitialValues = dict[tuple[RecordName, str], list[int]]


def initial_values(design: type[Design], scenario: Scenario, model: Model) -> InitialValues:
    """Return the value of every field of every slot in the initial state.

    The TSS comes from running ``bring_up`` of the design itself.
    """
    values = {(f.record, f.name): [0] * model.counts[f.record] for f in model.fields}
    defaults = dict(model.idle)
    for slot in range(model.counts["task"]):
        for name, value in defaults.items():
            values["task", name][slot] = value
        values["task", "pc"][slot] = model.return_pc if slot < scenario.tasks else KERNEL_THREAD
    if scenario.unprivileged:
        values["task", "privileged"][0] = 0
    if ("task", "home") in values:
        values["task", "home"] = [slot % scenario.cpus for slot in range(model.counts["task"])]
    for cpu in range(scenario.cpus):
        running = cpu < scenario.tasks
        values["cpu", "current"][cpu] = cpu + 1 if running else scenario.tasks + cpu + 1
        if running:
            values["task", "pc"][cpu] = USER
        _bring_up(design, scenario, model, values, cpu)
    return values


def _bring_up(
    design: type[Design], scenario: Scenario, model: Model, values: InitialValues, number: int
) -> None:
    """Run bring_up() on a CPU of the scenario's size and take over what it leaves."""
    geometry = Geometry(tuple(range(scenario.longs + 1)), design.layout.long_bits)
    instance = design()
    instance.globals = design.Globals()
    cpu, tss = design.Cpu(), design.Tss()
    cpu.tss = tss
    for declaration in declared_fields(type(tss)):
        if declaration.type is Bitmap:
            setattr(tss, declaration.name, _NewBitmap(geometry))
    instance.bring_up(cpu)
    records: list[tuple[RecordName, Record, int]] = [("tss", tss, number), ("cpu", cpu, number)]
    for record, source, slot in [*records, ("globals", instance.globals, 0)]:
        for field in model.fields_of(record):
            if field.declared and field.kind != "ref":
                values[record, field.name][slot] = _number(getattr(source, field.name))


def _number(value: object) -> int:
    if isinstance(value, _NewBitmap):
        return value.denied
    return int(getattr(value, "value", value))  # type: ignore[call-overload, no-any-return]  # a bool, an int or an enum member


class _NewBitmap(Bitmap):
    """A bitmap at bring-up: designs hardly do more than fill it, which needs no NumPy."""

    def __init__(self, geometry: Geometry) -> None:
        # What an ordinary bitmap has is made when it is asked for.
        self.geometry, self._filled = geometry, 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute of a bitmap
        """Become an ordinary bitmap."""
        if name not in {"words", "_ones"}:
            raise AttributeError(name)
        super().__init__(self.geometry)
        for long in range(self.geometry.real_longs):
            self.words[long] = self._ones if self._filled >> long & 1 else 0
        return vars(self)[name]

    def fill_steps(self, longs: int | None = None) -> Generator[None, None, None]:
        """Do `fill`, yielding before each block."""
        if "words" in vars(self):
            yield from super().fill_steps(longs)
            return
        for block in self._blocks(longs):
            yield
            self._filled |= (1 << block.stop) - (1 << block.start)

    @property
    def denied(self) -> int:
        """The longs with a denied port, one bit each."""
        if "words" not in vars(self):
            return self._filled
        return sum(1 << long for long, word in enumerate(self.words) if word)
