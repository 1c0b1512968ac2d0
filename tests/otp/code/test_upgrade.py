"""Upgrades of a running system: states change shape under load, and whatever fails leaves everything as it was."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from flurm.otp import Behaviour, Child, Supervisor, System, debug
from flurm.otp.code import CodeError, Loader
from flurm.otp.release import Instruction, Relup, difference, make, read, relup_text
from flurm.otp.upgrade import UpgradeFailed, Upgrader

COUNTER = '''
"""Counts."""
import msgspec
from flurm.otp import GenServer, NoReply, Ok, Reply

class State(msgspec.Struct):
    count: int = 0

class Counter(GenServer):
    vsn = 1

    def init(self, args):
        return Ok(State())

    def handle_call(self, request, sender, state):
        if request == "count":
            return Reply(state.count, state)
        if callable(request):
            request()
        state.count += 1
        return Reply(state.count, state)
'''
COUNTER_2 = '''
"""Counts, and knows by how much."""
import msgspec
from flurm.otp import GenServer, NoReply, Ok, Reply
from flurm.otp.upgrade import Down

class State(msgspec.Struct):
    total: int = 0
    step: int = 10

class Counter(GenServer):
    vsn = 2

    def init(self, args):
        return Ok(State())

    def handle_call(self, request, sender, state):
        if request == "count":
            return Reply(("count", state.total, state.step), state)
        if callable(request):
            request()
        state.total += state.step
        return Reply(state.total, state)

    def code_change(self, old_vsn, state, extra):
        if isinstance(old_vsn, Down):
            return State(state.total)
        return State(state.count, int(extra or 10))
'''
DOOR = '''
"""Opens and shuts."""
from flurm.otp import GenStatem
from flurm.otp.gen_statem import Begin, Call, NextState, ReplyTo

class Door(GenStatem):
    vsn = 1

    def init(self, args):
        return Begin("shut", 0)

    def handle_event(self, event, state, data):
        state = "open" if state == "shut" else "shut"
        return NextState(state, data + 1, ReplyTo(event.sender, (state, data + 1)))
'''
DOOR_2 = (
    DOOR.replace("vsn = 1", "vsn = 2").replace("data + 1", "data + 10")
    + """
    def code_change(self, old_vsn, state, data, extra):
        return state, data // 100 if not isinstance(old_vsn, int) else data * 100
"""
)
HELPER = "def greet(): return 'hello'\n"
_numbers = itertools.count()


class World:
    """A package with a counter in it, a system that runs two of them, and releases of the package."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.name = directory, f"upgraded_{next(_numbers)}"
        self.installed = directory / "installed"
        self.write(self.installed, counter=COUNTER, helper=HELPER)
        sys.path.insert(0, str(self.installed))
        self.counter = importlib.import_module(f"{self.name}.counter")
        self.helper = importlib.import_module(f"{self.name}.helper")
        self.system = System()
        children = tuple(Child(each, f"{self.name}.counter:Counter") for each in ("a", "b"))
        self.system.start(Supervisor(children=children), name="sup")
        self.accept = lambda: None
        loader = Loader((self.name,), lambda cls: issubclass(cls, Behaviour))
        self.upgrader = Upgrader(self.system, loader, "1", accept=lambda: self.accept())

    def write(self, where: Path, **modules: str) -> None:
        package = where / self.name
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
        for name, source in modules.items():
            (package / f"{name}.py").write_text(textwrap.dedent(source))

    def release(self, version: str, **modules: str) -> Path:
        where = self.directory / version
        self.write(where, **{"counter": COUNTER, "helper": HELPER, **modules})
        make(where, "test", version, (self.name,))
        return where

    def call(self, name: str, request: object = "add") -> object:
        return self.system.call(name, request)

    def close(self) -> None:
        self.system.stop()
        sys.path.remove(str(self.installed))
        for each in [each for each in sys.modules if each.partition(".")[0] == self.name]:
            del sys.modules[each]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_states_take_their_new_shape_and_go_back_to_the_old_one(world):
    world.call("a"), world.call("a"), world.call("b")
    world.upgrader.upgrade(world.release("2", counter=COUNTER_2))
    assert world.call("a", "count") == ("count", 2, 10)
    assert (world.call("a"), world.call("b")) == (12, 11)
    assert [each.version for each in world.upgrader.generations] == ["2", "1"]
    world.upgrader.rollback()
    assert world.call("a", "count") == 12
    assert (world.call("a"), world.call("b")) == (13, 12)
    assert world.upgrader.current.version == "1"


def test_a_state_machine_is_turned_over_like_a_server(world):
    world.write(world.installed, door=DOOR)
    world.system.start_child("sup", Child("door", f"{world.name}.door:Door"))
    assert world.call("door") == ("open", 1)
    world.upgrader.upgrade(world.release("2", door=DOOR_2))
    assert world.call("door") == ("shut", 110)
    assert debug.get_status(world.system, "door").module == f"{world.name}.door:Door"
    world.upgrader.rollback()
    assert world.call("door") == ("open", 2)


def test_processes_keep_their_pids_and_their_messages_keep_their_order(world):
    pid = world.system.whereis("a")
    entered, gate = threading.Event(), threading.Event()
    got: list[object] = []

    def slow() -> None:
        entered.set()
        gate.wait(10)

    threads = [threading.Thread(target=lambda: got.append(world.call("a", slow)))]
    threads[0].start()
    assert entered.wait(10)
    upgrade = threading.Thread(target=world.upgrader.upgrade, args=(world.release("2", counter=COUNTER_2),))
    upgrade.start()
    threads.append(threading.Thread(target=lambda: got.append(world.call("a"))))
    threads[1].start()
    gate.set()
    for each in (*threads, upgrade):
        each.join(10)
    assert sorted(got) == [1, 11] or sorted(got) == [1, 2]
    assert world.system.whereis("a") == pid
    assert world.upgrader.current.version == "2"


def test_a_restart_after_an_upgrade_runs_the_new_code(world):
    world.upgrader.upgrade(world.release("2", counter=COUNTER_2))
    old = world.system.whereis("a")
    world.system.kill("a")
    while world.system.whereis("a") in (None, old):
        threading.Event().wait(0.005)
    assert world.call("a", "count") == ("count", 0, 10)


def test_functions_are_replaced_without_holding_anything(world):
    held = world.helper.greet
    world.upgrader.upgrade(world.release("2", helper="def greet(): return 'goodbye'\n"))
    assert held() == "goodbye"
    world.upgrader.rollback()
    assert held() == "hello"


def test_a_code_change_that_raises_in_the_second_process_leaves_all_as_it_was(world):
    world.call("a"), world.call("b"), world.call("b")
    bad = COUNTER_2.replace(
        "return State(state.count,", "assert state.count < 2, 'too many'\n        return State(state.count,"
    )
    release = world.release("2", counter=bad, helper="def greet(): return 'goodbye'\n")
    with pytest.raises(UpgradeFailed, match=r"code_change of b failed.*too many"):
        world.upgrader.upgrade(release)
    assert (world.call("a"), world.call("b")) == (2, 3)
    assert (world.counter.Counter.vsn, world.helper.greet()) == (1, "hello")
    assert [each.version for each in world.upgrader.generations] == ["1"]
    world.upgrader.upgrade(world.release("3", counter=COUNTER_2))
    assert world.call("b", "count") == ("count", 3, 10)


def test_new_code_that_its_owner_does_not_accept_leaves_all_as_it_was(world):
    def refuse():
        raise ValueError(f"not with {world.helper.greet()}")

    world.accept = refuse
    world.call("a")
    with pytest.raises(UpgradeFailed, match="not with goodbye"):
        world.upgrader.upgrade(world.release("2", counter=COUNTER_2, helper="def greet(): return 'goodbye'\n"))
    assert (world.call("a"), world.helper.greet(), world.upgrader.current.version) == (2, "hello", "1")


def test_code_that_cannot_be_loaded_leaves_all_as_it_was(world):
    with pytest.raises(UpgradeFailed, match="NameError"):
        world.upgrader.upgrade(world.release("2", counter=COUNTER_2 + "\nX = nothing\n"))
    assert world.call("a") == 1


def test_a_process_that_does_not_stand_still_in_time_stops_the_upgrade(world):
    entered, gate = threading.Event(), threading.Event()

    def busy() -> None:
        entered.set()
        gate.wait(30)

    thread = threading.Thread(target=world.call, args=("a", busy))
    thread.start()
    assert entered.wait(10)
    where = world.release("2", counter=COUNTER_2)
    step = Instruction("update", f"{world.name}.counter", timeout_s=0.2)
    (where / "relup.toml").write_text(relup_text(Relup("1", "2", (step,))))
    with pytest.raises(UpgradeFailed, match=r"a did not stand still within 0.2 s"):
        world.upgrader.upgrade(where)
    assert world.call("b") == 1
    gate.set()
    thread.join(10)
    assert world.call("a") == 2


def test_two_upgrades_at_once_are_refused(world):
    entered, gate = threading.Event(), threading.Event()

    def busy() -> None:
        entered.set()
        gate.wait(10)

    thread = threading.Thread(target=world.call, args=("a", busy))
    thread.start()
    assert entered.wait(10)
    first = threading.Thread(target=world.upgrader.upgrade, args=(world.release("2", counter=COUNTER_2),))
    first.start()
    while not world.upgrader._busy.locked():
        threading.Event().wait(0.001)
    with pytest.raises(UpgradeFailed, match="another upgrade is under way"):
        world.upgrader.upgrade(world.release("3", counter=COUNTER_2))
    gate.set()
    first.join(10)
    thread.join(10)
    assert world.upgrader.current.version == "2"


def test_instructions_edited_by_hand_are_followed(world):
    where = world.release("2", counter=COUNTER_2)
    steps = world.upgrader.plan(read(where))
    assert steps == (Instruction("update", f"{world.name}.counter"),)
    edited = Instruction("update", f"{world.name}.counter", extra="100")
    (where / "relup.toml").write_text(relup_text(Relup("1", "2", (edited,))))
    world.upgrader.upgrade(where)
    assert world.call("a") == 100


def test_a_module_added_by_a_release_is_imported_from_it(world):
    source = "def greet():\n    from . import fresh\n    return fresh.word\n"
    world.upgrader.upgrade(world.release("2", helper=source, fresh="word = 'new'\n"))
    assert world.helper.greet() == "new"


def test_new_code_may_import_a_module_that_its_release_adds(world):
    source = f"from {world.name} import fresh\ndef greet(): return fresh.word\n"
    bad = COUNTER_2.replace("return State(state.count,", "raise ValueError\n        return State(state.count,")
    with pytest.raises(UpgradeFailed, match="code_change of a failed"):
        world.upgrader.upgrade(
            world.release("2", helper=source, counter=bad, other="word = 'new'\n", fresh="word = 1\n")
        )
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{world.name}.other")
    world.upgrader.upgrade(world.release("3", helper=source, fresh="word = 'new'\n"))
    assert world.helper.greet() == "new"


def test_one_module_is_loaded_anew_from_its_file(world):
    world.call("a")
    assert "has not changed" in world.upgrader.reload(f"{world.name}.counter")
    (world.installed / world.name / "counter.py").write_text(COUNTER_2)
    world.upgrader.reload(f"{world.name}.counter")
    assert world.call("a", "count") == ("count", 1, 10)
    with pytest.raises(UpgradeFailed, match="no loaded module"):
        world.upgrader.reload(f"{world.name}.nothing")


def test_only_what_was_upgraded_can_be_rolled_back(world):
    with pytest.raises(UpgradeFailed, match="no release before 1"):
        world.upgrader.rollback()
    where = world.release("2", counter=COUNTER_2)
    world.upgrader.upgrade(where)
    with pytest.raises(UpgradeFailed, match="runs already"):
        world.upgrader.upgrade(where)


def test_a_release_that_is_not_whole_is_refused_with_the_place(world, tmp_path):
    where = world.release("2", counter=COUNTER_2)
    counter = where / world.name / "counter.py"
    counter.write_text(COUNTER_2 + "# changed\n")
    with pytest.raises(UpgradeFailed, match=r"is not what release\.toml was made of"):
        world.upgrader.upgrade(where)
    counter.unlink()
    with pytest.raises(UpgradeFailed, match="is not there"):
        world.upgrader.upgrade(where)
    (where / "release.toml").write_text("version = 3\n")
    with pytest.raises(UpgradeFailed, match=r"release\.toml"):
        world.upgrader.upgrade(where)
    with pytest.raises(UpgradeFailed, match="flurm release make"):
        world.upgrader.upgrade(tmp_path / "nowhere")
    with pytest.raises(CodeError, match="no package nothing"):
        make(where, "test", "4", ("nothing",))


SPEC = """
from flurm.otp import Child, Supervisor
SPEC = Supervisor(intensity=%d, children=(Child("under", "%s.counter:Counter"),))
"""


def test_the_specification_of_a_supervisor_changes_while_its_children_go_on(world):
    world.write(world.installed, tree=SPEC % (3, world.name))
    world.system.start(f"{world.name}.tree:SPEC", name="tree")
    pid = world.system.whereis("under")
    bad = COUNTER_2.replace("return State(state.count,", "raise ValueError\n        return State(state.count,")
    with pytest.raises(UpgradeFailed):
        world.upgrader.upgrade(world.release("2", counter=bad, tree=SPEC % (7, world.name)))
    assert debug.get_state(world.system, "tree").flags.intensity == 3
    world.upgrader.upgrade(world.release("3", tree=SPEC % (7, world.name)))
    assert debug.get_state(world.system, "tree").flags.intensity == 7
    assert world.system.whereis("under") == pid
    world.upgrader.rollback()
    assert debug.get_state(world.system, "tree").flags.intensity == 3


def test_a_refused_specification_leaves_no_child_behind(world):
    source = SPEC % (3, world.name)
    world.write(world.installed, tree=source)
    world.system.start(f"{world.name}.tree:SPEC", name="tree")
    more = source.replace("),))", f'), Child("more", "{world.name}.counter:Counter")))')
    bad = COUNTER_2.replace("return State(state.count,", "raise ValueError\n        return State(state.count,")
    with pytest.raises(UpgradeFailed):
        world.upgrader.upgrade(world.release("2", counter=bad, tree=more))
    assert [id for id, _, _ in world.system.which_children("tree")] == ["under"]


def test_a_process_that_dies_in_its_code_change_does_not_fail_the_upgrade_and_is_restarted_with_the_new_code(world):
    dying = COUNTER_2.replace(
        "return State(state.count,",
        "self.name == 'a' and self.system.kill('a')\n        return State(state.count,",
    )
    old = world.system.whereis("a")
    world.upgrader.upgrade(world.release("2", counter=dying))
    while world.system.whereis("a") in (None, old):
        threading.Event().wait(0.005)
    assert world.call("a", "count") == ("count", 0, 10)
    assert world.call("b", "count") == ("count", 0, 10)


def test_a_code_change_that_goes_back_has_a_deadline_too(world):
    gate = threading.Event()
    world.system.env["gate"] = gate
    slow = COUNTER_2.replace("return State(state.total)", "self.system.env['gate'].wait(30); return State(state.total)")
    world.upgrader.upgrade(world.release("2", counter=slow))
    held = world.upgrader._turn_over

    def hurried(each, load, down):
        each.step = Instruction("update", each.step.module, timeout_s=0.1)
        held(each, load, down)

    world.upgrader._turn_over = hurried
    with pytest.raises(UpgradeFailed, match="did not end"):
        world.upgrader.rollback()
    gate.set()
    assert world.upgrader.current.version == "2"


def test_a_module_first_imported_after_the_upgrade_goes_back_with_the_others(world):
    user = "def word():\n    from . import late\n    return late.WORD\n"
    world.write(world.installed, late="WORD = 'old'\n")
    world.upgrader.upgrade(world.release("2", helper=user, late="WORD = 'new'\n"))
    assert world.helper.word() == "new"
    world.upgrader.rollback()
    assert importlib.import_module(f"{world.name}.late").WORD == "old"


def test_a_process_that_is_just_being_started_has_no_state_to_ask_for_its_modules(world):
    asking = COUNTER + "\n    def runs_code_of(self, state):\n        return (type(state.count).__module__,)\n"
    world.write(
        world.installed, asking=asking.replace("return Ok(State())", "args['busy']()\n        return Ok(State())")
    )
    entered, gate = threading.Event(), threading.Event()
    busy = lambda: (entered.set(), gate.wait(10))  # noqa: E731
    thread = threading.Thread(target=world.system.spawn, args=(f"{world.name}.asking:Counter", {"busy": busy}))
    thread.start()
    assert entered.wait(10)
    world.upgrader.upgrade(world.release("2", counter=COUNTER_2))
    gate.set()
    thread.join(10)


def test_bad_instructions_are_refused(world):
    where = world.release("2", counter=COUNTER_2)
    for text, told in (
        ('from = "9"\nto = "2"\n', "not from 1 to 2"),
        ('from = "1"\nto = "2"\n[[instruction]]\ndo = "jump"\nmodule = "x"\n', "expected one of"),
        ('from = "1"\nto = "2"\n[[instruction]]\ndo = "load"\nmodule = "x"\n', "is not in release 2"),
        ('from = "1"\nto = "2"\nform = 1\n', "unknown: form"),
        ("from = ", "relup.toml"),
    ):
        (where / "relup.toml").write_text(text)
        with pytest.raises(UpgradeFailed, match=told):
            world.upgrader.upgrade(where)
    assert world.call("a") == 1


def test_the_difference_of_two_releases_names_what_to_do():
    steps = difference({"a": "1", "b": "1", "gone": "1"}, {"a": "2", "b": "2", "c": "1"}, {"b"})
    assert [(each.do, each.module) for each in steps] == [
        ("add", "c"), ("load", "a"), ("update", "b"), ("remove", "gone")
    ]  # fmt: skip


def test_a_process_that_is_born_after_the_plan_was_made_is_turned_over_too(world):
    for each in ("a", "b"):
        world.system.terminate_child("sup", each)
    plan = world.upgrader.plan

    def planned_before_the_birth(release):
        steps = plan(release)
        world.system.restart_child("sup", "a")
        return steps

    world.upgrader.plan = planned_before_the_birth
    world.upgrader.upgrade(world.release("2", counter=COUNTER_2))
    assert world.call("a", "count") == ("count", 0, 10)
