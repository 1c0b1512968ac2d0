"""New code takes the old code's place in modules that are imported, held on to and running; and leaves it again."""

from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path

import pytest

from flurm.otp import GenServer
from flurm.otp.code import CodeError, Loader, NotReplaceable


class Package:
    """A package of a test's own, on disk and imported, whose modules are replaced."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory, self.name = directory / name, name
        self.directory.mkdir()
        (self.directory / "__init__.py").write_text("")
        self.loader = Loader((name,), lambda cls: issubclass(cls, GenServer))

    def module(self, name: str, source: str):
        (self.directory / f"{name}.py").write_text(textwrap.dedent(source))
        module = importlib.import_module(f"{self.name}.{name}")
        self.loader.remember()
        return module

    def load(self, **sources: str):
        return self.loader.load({
            f"{self.name}.{name}": (self.directory / f"new_{name}.py", textwrap.dedent(source))
            for name, source in sources.items()
        })  # fmt: skip


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    name = f"replaced_{abs(hash(request.node.name))}"
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Package(tmp_path, name)
    for each in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[each]


def test_whoever_holds_a_function_finds_the_new_code_in_it(package):
    module = package.module("m", "def f(x, y=1): return x + y\nTABLE = {'f': f}\n")
    held = module.f
    package.load(m="def f(x, y=10): return x * y\nTABLE = {'f': f}\n")
    assert held(2) == module.f(2) == module.TABLE["f"](2) == 20
    assert held is module.f


def test_instances_of_a_plain_class_live_on_with_new_methods(package):
    source = """
    class Base:
        def name(self): return "base"
    class Thing(Base):
        kind = "old"
        def __init__(self): self.count = 1
        def name(self): return "old " + super().name()
        def gone(self): return 1
    """
    module = package.module("m", source)
    thing = module.Thing()
    new = (
        source.replace("old", "new").replace("def gone", "def added")
        + "    @property\n        def twice(self): return 2\n"
    )
    package.load(m=new)
    assert (thing.name(), thing.kind, thing.added(), thing.twice) == ("new base", "new", 1, 2)
    assert not hasattr(thing, "gone")
    assert isinstance(thing, module.Thing)


def test_only_what_changed_is_executed_so_that_module_state_survives(package):
    module = package.module("m", "cache = {}\nmade = object()\ndef f(): return len(cache)\n")
    module.cache["x"] = 1
    before = module.made
    package.load(m="cache = {}\nmade = object()\n# a comment\ndef f(): return -len(cache)\n")
    assert module.f() == -1
    assert module.made is before


def test_a_new_statement_that_binds_nothing_is_a_change_too(package):
    module = package.module("m", "seen = []\n")
    package.load(m="seen = []\nseen.append(1)\n")
    assert module.seen == [1]


def test_values_made_of_a_changed_value_are_made_anew(package):
    module = package.module("m", "A = 1\nB = (A, A + 1)\ndef f(): return B\n")
    package.load(m="A = 10\nB = (A, A + 1)\ndef f(): return B\n")
    assert module.f() == (10, 11)


def test_constants_that_others_imported_by_name_are_renewed(package):
    package.module("m", "LIMIT = 1\n")
    user = package.module("user", f"from {package.name}.m import LIMIT as MOST\ndef f(): return MOST\n")
    load = package.load(m="LIMIT = 2\n")
    assert user.f() == 2
    load.undo()
    assert user.f() == 1


def test_the_class_of_a_process_is_swapped_and_not_changed_in_place(package):
    source = "from flurm.otp import GenServer\nclass P(GenServer):\n    vsn = 1\n"
    old = package.module("m", source).P
    load = package.load(m=source.replace("1", "2"))
    new = load.swapped[old]
    assert (old.vsn, new.vsn) == (1, 2)
    assert sys.modules[f"{package.name}.m"].P is new


RECORDS = """
import enum
from dataclasses import dataclass
from typing import NamedTuple
import msgspec
class Record(msgspec.Struct):
    a: int
class Colour(enum.Enum):
    RED = 1
class Pair(NamedTuple):
    a: int
@dataclass
class Data:
    a: int
def f(): return Record(1)
"""


CHANGES = [
    ("Struct):\n    a", "Struct):\n    b"),
    ("RED = 1", "RED = 2"),
    ("NamedTuple):\n    a", "NamedTuple):\n    b"),
    ("Data:\n    a", "Data:\n    b"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_record_message_or_enum_is_refused_and_nothing_changes(package, change):
    module = package.module("m", RECORDS)
    held = module.f
    with pytest.raises(NotReplaceable, match="rolling upgrade"):
        package.load(m=RECORDS.replace(*change).replace("Record(1)", "Record(2)"))
    assert held().a == 1


def test_functions_beside_records_that_stay_are_replaced_and_the_records_are_the_same(package):
    module = package.module("m", RECORDS)
    before = (module.Record, module.Colour)
    package.load(m=RECORDS.replace("Record(1)", "Record(2)"))
    assert module.f().a == 2
    assert (module.Record, module.Colour) == before


def test_the_state_of_a_process_may_change_where_nobody_else_knows_it(package):
    source = """
    import msgspec
    from flurm.otp import GenServer
    class State(msgspec.Struct):
        a: int
    class P(GenServer):
        vsn = 1
    """
    module = package.module("m", source)
    package.load(m=source.replace("a: int", "a: int\n        b: int = 0"))
    assert module.State(1).b == 0
    package.module("user", f"from {package.name} import m\ndef f(): return m.State(1)\n")
    with pytest.raises(NotReplaceable, match="State"):
        package.load(m=source)


def test_undo_puts_everything_back_as_it_was(package):
    source = "A = 1\ndef f(): return A\nclass C:\n    def g(self): return 1\ndef gone(): return 5\n"
    module = package.module("m", source)
    held, thing, names = module.f, module.C(), dict(vars(module))
    load = package.load(
        m="A = 2\ndef f(): return -A\nclass C:\n    def g(self): return 2\n    def h(self): pass\nD = 1\n"
    )
    assert (held(), thing.g(), hasattr(module, "gone"), module.D) == (-2, 2, False, 1)
    load.undo()
    assert (held(), thing.g(), module.gone(), hasattr(thing, "h")) == (1, 1, 5, False)
    assert {name: value for name, value in vars(module).items() if name != "__builtins__"} == {
        name: value for name, value in names.items() if name != "__builtins__"
    }


def test_it_can_be_done_again_and_again(package):
    module = package.module("m", "def f(): return 0\nclass C:\n    def g(self): return 0\n")
    held, thing = module.f, module.C()
    for number in range(1, 4):
        package.load(m=f"def f(): return {number}\nclass C:\n    def g(self): return {number}\n")
        assert (held(), thing.g()) == (number, number)


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("def f(:\n", "line 1"),
        ("def f(): return 2\nraise ValueError('no')\n", "new_m.py, line 2: ValueError: no"),
        ("def f(): return 2\nimport nothing_of_this_name\n", "ModuleNotFoundError"),
        ("def f(): return 2\nX = undefined\n", "NameError"),
    ],
)
def test_code_that_cannot_be_loaded_is_told_of_with_its_place_and_changes_nothing(package, new, told):
    module = package.module("m", "def f(): return 1\n")
    held = module.f
    with pytest.raises(CodeError, match=told):
        package.load(m=new)
    assert held() == module.f() == 1


def test_a_failure_in_the_second_module_takes_back_the_first(package):
    first = package.module("a", "def f(): return 1\n")
    package.module("b", f"from {package.name}.a import f\ndef g(): return f()\n")
    with pytest.raises(CodeError):
        package.load(a="def f(): return 2\n", b=f"from {package.name}.a import f\nassert f() != 2\ndef g(): return 0\n")
    assert first.f() == 1


def test_slots_and_bases_that_change_are_refused(package):
    module = package.module("m", "class B: pass\nclass C(B):\n    __slots__ = ('a',)\n")
    for new in (
        "class B: pass\nclass C(B):\n    __slots__ = ('a', 'b')\n",
        "class B: pass\nclass C:\n    __slots__ = ('a',)\n",
    ):
        with pytest.raises(NotReplaceable):
            package.load(m=new)
    assert module.C.__slots__ == ("a",)


def test_a_module_of_another_package_is_refused(package):
    with pytest.raises(CodeError, match="none of the packages"):
        package.loader.load({"json": (Path("json.py"), "x = 1")})


def test_the_traceback_of_new_code_shows_the_new_source(package):
    import traceback

    module = package.module("m", "def f(): return 1\n")
    new = package.directory / "new_m.py"
    new.write_text("def f():\n    return 1 / 0  # the new line\n")
    package.load(m=new.read_text())
    try:
        module.f()
    except ZeroDivisionError:
        assert "# the new line" in traceback.format_exc()
