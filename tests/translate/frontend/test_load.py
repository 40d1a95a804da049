"""Tests of loading designs: which files and ids are designs, and the message if not."""

import inspect
import re
import textwrap
from pathlib import Path

import pytest

from iopermit.designs import UnknownDesignError, designs
from iopermit.system.design import Design
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError, find_method

SMALL = '''
from typing import ClassVar

from iopermit.designs.linux.base import LAYOUT_5_4
from iopermit.system.bitmap import PortRange
from iopermit.system.design import Design
from iopermit.system.machine_state import Cpu, Task, TssLayout


class Small(Design):
    """Denies everything."""

    layout: ClassVar[TssLayout] = LAYOUT_5_4

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        return -1

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        return -1

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        pass
'''


def write(directory: Path, text: str, name: str = "design.py") -> str:
    """Write a file and return its name."""
    file = directory / name
    file.write_text(textwrap.dedent(text))
    return str(file)


def refusal(text: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of the message with which a design is refused."""
    with pytest.raises(DesignError) as error:
        load_design(text, options)
    return str(error.value).splitlines()


@pytest.mark.parametrize("name", designs())
def test_every_id_gives_its_design(name: str) -> None:
    """An id of the list gives the design of the list."""
    assert load_design(name) is designs()[name]


@pytest.mark.parametrize("name", designs())
def test_every_file_of_a_design_can_be_named(name: str) -> None:
    """The file and class of a listed design, as user's file, give a design with the same id."""
    design = designs()[name]
    loaded = load_design(f"{inspect.getfile(design)}:{design.__name__}")
    assert loaded.id == name
    assert loaded is not design


def test_unknown_id_suggests_one() -> None:
    """A misspelt id gives the close ones."""
    with pytest.raises(UnknownDesignError, match=r"did you mean linux-v2-06"):
        load_design("linux-v2-6")


def test_class_without_id_gets_its_name(tmp_path: Path) -> None:
    """A user's class that has no id is known by its name."""
    assert load_design(write(tmp_path, SMALL)).id == "Small"


def test_inherited_id_does_not_count(tmp_path: Path) -> None:
    """A user's class that extends a listed design is not taken for that design."""
    text = "from iopermit.designs.linux.v5_5 import Linux55\n\nclass Mine(Linux55):\n    pass\n"
    assert load_design(write(tmp_path, text)).id == "Mine"


def test_source_of_a_loaded_design_is_found(tmp_path: Path) -> None:
    """The translator finds the methods of a loaded class in the user's file."""
    file = write(tmp_path, SMALL)
    method = find_method(load_design(file), "switch_to")
    assert method is not None
    assert method.file == file
    assert method.node.lineno == SMALL[: SMALL.index("def switch_to")].count("\n") + 1


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    """A file that changed between two loads gives the changed design."""
    before = load_design(write(tmp_path, SMALL))
    after = load_design(write(tmp_path, SMALL.replace("class Small", "class Other")))
    assert (before.id, after.id) == ("Small", "Other")


def test_no_bytecode_is_left_beside_the_file(tmp_path: Path) -> None:
    """Loading a file writes nothing into its directory."""
    load_design(write(tmp_path, SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["design.py"]


def test_file_can_import_what_is_beside_it(tmp_path: Path) -> None:
    """A design can take a constant from a module in its own directory."""
    write(tmp_path, "DENIED = -1\n", "beside_small.py")
    text = "from beside_small import DENIED\n" + SMALL.replace("return -1", "return DENIED")
    assert load_design(write(tmp_path, text)).id == "Small"


def test_id_selects_a_class_of_a_file(tmp_path: Path) -> None:
    """Behind the colon the id of a class is as good as its name."""
    text = SMALL.replace("    layout:", '    id = "my-design"\n    layout:')
    assert load_design(write(tmp_path, text) + ":my-design").id == "my-design"


def test_base_class_in_the_same_file_is_no_candidate(tmp_path: Path) -> None:
    """An incomplete base class does not make the file ambiguous."""
    text = SMALL.replace(
        "class Small(Design)", "class Base(Design):\n    pass\n\nclass Small(Base)"
    )
    assert load_design(write(tmp_path, text)).id == "Small"


# Options.


def test_options_are_set_on_a_subclass() -> None:
    """An option sets the switch, on a class of the same module, and leaves the design alone."""
    design = designs()["linux-5.5"]
    changed = load_design("linux-5.5", ("no_refcnt_reset",))
    assert issubclass(changed, design)
    assert changed.__module__ == design.__module__
    switch = "no_refcnt_reset"
    assert (getattr(changed, switch), getattr(design, switch)) == (True, False)


def test_unknown_option_is_refused_with_the_known_ones() -> None:
    """A misspelt option gives the close one, and the place of the class."""
    lines = refusal("linux-5.5", ("no_refcnt_rest",))
    assert re.search(r"v5_5\.py:\d+:1: error: linux-5\.5 has no option 'no_refcnt_rest'", lines[0])
    assert lines[1:] == [
        "    class Linux55(IoBitmapRegset, LinuxTssLimit):",
        "    ^",
        "  remedy: did you mean no_refcnt_reset?",
    ]


def test_option_of_a_design_without_options_is_refused() -> None:
    """A design without options says so."""
    assert refusal("linux-2.6.8", ("fast",))[-1] == "  remedy: use one of its options: it has none"


def test_option_must_be_a_boolean_attribute(tmp_path: Path) -> None:
    """An option that the class has no switch for is refused at load."""
    text = SMALL.replace("    layout:", '    options = {"fast": "is fast"}\n    layout:')
    lines = refusal(write(tmp_path, text))
    assert "option 'fast' of Small is no boolean attribute" in lines[0]
    assert lines[-1] == "  remedy: add: fast: ClassVar[bool] = False"


# Files that are no design.


def test_syntax_error_shows_the_line(tmp_path: Path) -> None:
    """A syntax error is shown as a compiler does: place, line, caret."""
    file = write(tmp_path, "x = 1\ndef broken(:\n    pass\n")
    lines = refusal(file)
    assert lines[0].startswith(f"{file}:2:12: error: not valid Python: ")
    assert lines[1:3] == ["    def broken(:", "               ^"]


def test_null_byte_is_refused(tmp_path: Path) -> None:
    """A binary file is refused with one message."""
    lines = refusal(write(tmp_path, "x = 1\0\n"))
    assert "error: not valid Python: " in lines[0]


def test_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with the offending byte's position."""
    file = tmp_path / "latin.py"
    file.write_bytes(b"x = '\xe9'\n")
    assert refusal(str(file))[0] == f"{file}: error: not a text file: byte 5 is not UTF-8"


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that does not exist is refused with the system's reason."""
    file = str(tmp_path / "no.py")
    assert refusal(file)[0] == f"{file}: error: cannot read the file: No such file or directory"


def test_directory_is_refused(tmp_path: Path) -> None:
    """A directory is refused with the system's reason."""
    assert refusal(str(tmp_path))[0] == f"{tmp_path}: error: cannot read the file: Is a directory"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("from iopermit.system.design import Desing", "ImportError"),
    ],
)
def test_import_that_fails_shows_the_line(tmp_path: Path, statement: str, reason: str) -> None:
    """An exception while the file is executed is shown at the line of the file."""
    file = write(tmp_path, f"x = 1\n{statement}\n")
    lines = refusal(file)
    assert re.match(
        rf"{re.escape(file)}:2:\d+: error: importing the file fails: {reason}: ", lines[0]
    )
    assert lines[1] == f"    {statement}"


def test_file_without_design_is_refused(tmp_path: Path) -> None:
    """A Python file in which no class is a design is refused; an imported design is not its own."""
    text = "from iopermit.designs.linux.v5_5 import Linux55\n\nclass Other:\n    pass\n"
    file = write(tmp_path, text)
    assert refusal(file)[0] == f"{file}: error: there is no design in this file"


def test_class_that_is_no_design_is_refused(tmp_path: Path) -> None:
    """A named class that is not derived from Design is refused at its place."""
    file = write(tmp_path, SMALL + "\n\nclass Other:\n    pass\n")
    lines = refusal(f"{file}:Other")
    assert re.match(rf"{re.escape(file)}:\d+:1: error: Other is no design", lines[0])
    assert lines[1:] == ["    class Other:", "    ^", "  remedy: name one of its designs: Small"]


def test_unknown_class_is_refused(tmp_path: Path) -> None:
    """A misspelt class gives the close one."""
    file = write(tmp_path, SMALL)
    lines = refusal(f"{file}:Smal")
    assert lines == [
        f"{file}: error: there is no class 'Smal' in this file",
        f"  remedy: did you mean {file}:Small?",
    ]


def test_several_designs_need_a_class(tmp_path: Path) -> None:
    """A file with two designs is refused unless one is named."""
    file = write(tmp_path, SMALL + "\n\nclass Second(Small):\n    pass\n")
    lines = refusal(file)
    assert "the file has 2 designs: Small, Second" in lines[0]
    assert lines[-1] == f"  remedy: name one of them, as in {file}:Small"
    assert load_design(f"{file}:Second").id == "Second"


@pytest.mark.parametrize("name", ["ioperm", "iopl", "switch_to"])
def test_missing_method_is_refused(tmp_path: Path, name: str) -> None:
    """A design without a mandatory method is refused with the declaration to add."""
    file = write(tmp_path, SMALL.replace(f"def {name}(", f"def not_{name}("))
    lines = refusal(file)
    assert re.match(rf"{re.escape(file)}:\d+:1: error: Small lacks the method {name}$", lines[0])
    assert lines[1] == "    class Small(Design):"
    assert lines[-1].startswith(f"  remedy: add: def {name}(self, cpu: Cpu, ")


def test_hook_with_wrong_parameters_is_refused(tmp_path: Path) -> None:
    """A hook with a parameter too few is refused at its own line."""
    file = write(tmp_path, SMALL.replace("task: Task, level: int", "level: int"))
    lines = refusal(file)
    assert lines[0].endswith("error: iopl() must have 3 parameters besides self")
    assert lines[1].strip() == "def iopl(self, cpu: Cpu, level: int) -> int:"


def test_hook_that_is_not_written_out_is_refused(tmp_path: Path) -> None:
    """A hook that is a lambda has no statements to translate and is refused."""
    text = SMALL.replace(
        "    def iopl(", "    iopl = lambda self, cpu, task, level: -1\n\n    def other("
    )
    assert "Small.iopl is not a method that is written out" in refusal(write(tmp_path, text))[0]


def test_missing_layout_is_refused(tmp_path: Path) -> None:
    """A design that does not say where its map is in the TSS is refused."""
    file = write(tmp_path, SMALL.replace("    layout: ClassVar[TssLayout] = LAYOUT_5_4\n", ""))
    assert "Small does not say where its map is" in refusal(file)[0]


def test_design_itself_is_not_loaded(tmp_path: Path) -> None:
    """The interface that a file imports is not taken for a design of the file."""
    text = "from iopermit.system.design import Design\n\nMine = Design\n"
    assert "there is no design" in refusal(write(tmp_path, text))[0]
    assert Design.id == ""
