"""Addresses have names, and names addresses."""

from __future__ import annotations

from iopermit.reproduce.debugger.symbols import SymbolTable

SYMBOLS = SymbolTable({"one": 0x100, "two.isra.0": 0x200, "two.cold": 0x900, "three.a": 1})


def test_an_instruction_is_told_by_symbol_and_offset() -> None:
    """The nearest symbol before an address counts; before the first there is none."""
    assert SYMBOLS.place(0x100) == "one+0x0"
    assert SYMBOLS.place(0x1FF) == "one+0xff"
    assert SYMBOLS.place(0x216) == "two.isra.0+0x16"
    assert SYMBOLS.place(0) == "0x0"
    assert SYMBOLS.start_of(0x216) == 0x200


def test_a_copy_that_the_compiler_made_is_found() -> None:
    """A function with a suffix is found by its name, but not the unlikely part of one."""
    assert SYMBOLS.find("one") == 0x100
    assert SYMBOLS.find("two") == 0x200
    assert SYMBOLS.find("thre") is None


def test_which_of_several_copies_is_not_guessed() -> None:
    """Of several copies none is taken."""
    assert SymbolTable({"f.isra.0": 1, "f.constprop.0": 2}).find("f") is None
