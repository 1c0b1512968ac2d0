"""The process that runs programs for the controller: real programs, real ends."""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
from pathlib import Path

import pytest

from actors.programs.runner import Ended, Keeper, KeeperGone

PATIENCE_S = 20


@pytest.fixture
def told():
    return queue.Queue()


@pytest.fixture
def keeper(told):
    made = Keeper(1, told.put)
    yield made
    made.close()
    while told.get(timeout=PATIENCE_S) != KeeperGone(1):
        pass


def order(run, *argv, limit_s=0, env=None, names=None, login=False):
    return {
        "run": run, "argv": list(argv), "env": env or {}, "names": names or {}, "uid": None, "login": login,
        "limit_s": limit_s,
    }  # fmt: skip


def shell(run, text, **about):
    return order(run, "/bin/sh", "-c", text, **about)


def await_that(what):
    give_up = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]


def pid_in(path):
    await_that(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def test_an_exit_code_a_signal_and_what_was_printed_are_told(keeper, told):
    keeper.begin(shell(1, "echo out; echo err >&2; exit 3"))
    assert told.get(timeout=PATIENCE_S) == Ended(1, 3 << 8, None, "out\nerr\n")
    keeper.begin(shell(2, "kill -TERM $$"))
    assert told.get(timeout=PATIENCE_S) == Ended(2, int(signal.SIGTERM))


def test_a_program_that_is_not_there_is_told_of_and_the_next_one_runs(keeper, told):
    keeper.begin(order(1, "/nonexistent/program"))
    first = told.get(timeout=PATIENCE_S)
    assert first.run == 1
    assert first.error.startswith("cannot run /nonexistent/program")
    keeper.begin(order(2, "/bin/true", env={"NAME": "with a \0 in it"}))
    assert told.get(timeout=PATIENCE_S).error.startswith("cannot run /bin/true")
    keeper.begin(shell(3, "exit 0"))
    assert told.get(timeout=PATIENCE_S) == Ended(3)


def test_the_environment_is_what_was_given_and_nothing_else(keeper, told):
    keeper.begin(order(1, "/usr/bin/env", env={"A": "b c"}, names={"WHO": ["user", 0], "WHOSE": ["group", 987654]}))
    assert sorted(told.get(timeout=PATIENCE_S).output.split("\n")) == ["", "A=b c", "WHO=root", "WHOSE=987654"]


def test_a_program_of_a_user_finds_itself_at_home(keeper, told):
    keeper.begin(order(1, "/usr/bin/env", login=True))
    names = {line.partition("=")[0] for line in told.get(timeout=PATIENCE_S).output.split()}
    assert names == {"HOME", "USER", "LOGNAME", "SHELL", "PATH"}


def test_a_program_has_nothing_open_of_the_controllers(keeper, told):
    text = (
        "import os; link = '/proc/self/fd/{}'.format; "
        "print([n for n in range(99) if os.path.lexists(link(n))], os.readlink(link(0)))"
    )
    keeper.begin(order(1, sys.executable, "-I", "-c", text))
    assert told.get(timeout=PATIENCE_S).output == "[0, 1, 2] /dev/null\n"


def test_a_program_whose_time_is_up_is_killed_with_what_it_began(keeper, told, tmp_path):
    child = tmp_path / "child"
    keeper.begin(shell(1, f"sleep 1000 & echo $! > {child}; wait", limit_s=1))
    assert told.get(timeout=PATIENCE_S) == Ended(1, int(signal.SIGKILL), "its time was up, it was killed")
    await_that(lambda: is_gone(pid_in(child)))


def test_a_program_that_is_ended_says_nothing_any_more(keeper, told, tmp_path):
    keeper.begin(shell(1, f"echo $$ > {tmp_path / 'pid'}; exec sleep 1000"))
    pid = pid_in(tmp_path / "pid")
    keeper.end(1)
    keeper.begin(shell(2, "exit 0"))
    assert told.get(timeout=PATIENCE_S) == Ended(2)
    assert is_gone(pid)


def test_much_output_holds_nothing_up_and_little_of_it_is_kept(keeper, told):
    keeper.begin(shell(1, "head -c 3000000 /dev/zero | tr '\\0' x"))
    ended = told.get(timeout=PATIENCE_S)
    assert (ended.status, len(ended.output)) == (0, 2000)


def test_many_programs_run_beside_each_other(keeper, told, tmp_path):
    os.mkfifo(tmp_path / "gate")
    for run in range(1, 41):
        keeper.begin(shell(run, f"read line < {tmp_path / 'gate'}; exit 0", limit_s=PATIENCE_S))
    with os.fdopen(os.open(tmp_path / "gate", os.O_RDWR), "wb", buffering=0) as gate:  # never without a reader
        gate.write(b"go\n" * 40)
        seen = {told.get(timeout=PATIENCE_S).run for _ in range(40)}
    assert seen == set(range(1, 41))


def test_programs_end_with_their_controller(told, tmp_path):
    made = Keeper(1, told.put)
    made.begin(shell(1, f"echo $$ > {tmp_path / 'pid'}; sleep 1000"))
    pid = pid_in(tmp_path / "pid")
    made.close()
    assert told.get(timeout=PATIENCE_S) == KeeperGone(1)
    await_that(lambda: is_gone(pid))


def test_programs_end_with_their_keeper_even_where_it_is_killed(told, tmp_path):
    made = Keeper(1, told.put)
    made.begin(shell(1, f"echo $$ $PPID > {tmp_path / 'pid'}; exec sleep 1000"))
    await_that(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    pid, keeper_pid = map(int, (tmp_path / "pid").read_text().split())
    os.kill(keeper_pid, signal.SIGKILL)
    assert told.get(timeout=PATIENCE_S) == KeeperGone(1)
    await_that(lambda: is_gone(pid))
