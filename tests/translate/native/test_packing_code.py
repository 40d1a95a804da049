"""Tests that the stored form of a state keeps everything that the working form says."""

import ctypes
import random

import llvmlite.binding as llvm
import pytest
from llvmlite import ir
from tests.support.translate.native_code import random_values
from tests.support.translate.small_models import LEVEL, small_model, step

from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import CPU, KERNEL_THREAD, Const, Field, Store
from iopermit.translate.native.packing import Packing
from iopermit.translate.native.packing_code import PackingCode


def wide() -> Model:
    """Return a model whose stored form has several words, with parts that cross their bounds."""
    model = small_model([step(0, Store(LEVEL, CPU, Const(1)), context="cpu")], cpus=2)
    model.fields += [Field("task", f"wide{number}", 7, high=127) for number in range(11)]
    return model


def still() -> Model:
    """Return a model whose switches write no task: idle tasks are not stored."""
    model = small_model([step(0)], cpus=2)
    model.idle = {"level": 2}
    return model


def there_and_back(packing: Packing, words: list[int]) -> list[int]:
    """Pack the words of a state and unpack them again."""
    module = ir.Module("test")
    PackingCode(module, packing)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), machine)
    engine.finalize_object()
    working = (ctypes.c_uint64 * packing.words)(*words)
    stored = (ctypes.c_uint64 * packing.stored_words)()
    again = (ctypes.c_uint64 * packing.words)(*[(1 << 64) - 1] * packing.words)
    for name, source, target in (("pack", working, stored), ("unpack", stored, again)):
        address = engine.get_function_address(name)
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)
        function(ctypes.addressof(source), ctypes.addressof(target))
    return list(again)


@pytest.mark.parametrize("seed", range(5))
def test_a_state_comes_back(seed: int) -> None:
    """Every field of every slot has its value again, whatever words it lies in."""
    packing = Packing(wide())
    assert packing.stored_words > 2
    words = packing.working(random_values(packing.model, random.Random(seed)))
    assert there_and_back(packing, words) == words


def test_idle_tasks_come_back_though_they_are_not_stored() -> None:
    """Their records are always the same."""
    packing = Packing(still())
    values = random_values(packing.model, random.Random(1))
    for field in packing.model.fields_of("task"):
        idle = {"pc": KERNEL_THREAD, "level": 2}.get(field.name, 0)
        values["task", field.name][2:] = [idle, idle]
    words = packing.working(values)
    assert packing.values(there_and_back(packing, words)) == packing.values(words)
    assert packing.stored_bits < Packing(wide()).stored_bits
