"""The simulation itself: what the seed decides and what it does not, time, dead ends, kills."""

import os
import subprocess
import sys

import pytest

import flurm.otp.runtime.sim as sim
from flurm.otp import CallTimeout, GenServer, NoReply, Ok, Reply
from flurm.otp.runtime.sim import Deadlock, Livelock, Simulation


class Runner(GenServer):
    """Runs what it is sent; keeps what else it is told."""

    def init(self, args):
        return Ok([])

    def handle_call(self, request, sender, state):
        return NoReply(state) if request == "never" else Reply(request(self) if callable(request) else state, state)

    def handle_cast(self, message, state):
        if callable(message):
            message(self)
            return NoReply(state)
        return NoReply([*state, message])


def told(seed):
    """What a process is told by two others that talk at once."""
    system = Simulation(seed=seed)
    for name in "abc":
        system.spawn(Runner, name=name)
    for name in "ab":
        system.cast(name, lambda actor: [actor.cast("c", (actor.name, number)) for number in range(4)])
    system.settle()
    return system.call("c", "state")


def test_the_seed_decides_between_senders_but_each_sender_is_heard_in_order():
    orders = {tuple(told(seed)) for seed in range(30)}
    assert len(orders) > 5
    for order in orders:
        for name in "ab":
            assert [number for sender, number in order if sender == name] == [0, 1, 2, 3]
    assert told(3) == told(3)


def test_time_passes_only_when_nobody_can_run():
    system = Simulation()
    system.spawn(Runner, name="a")
    begun_s = system.now_s()
    for _ in range(100):
        system.call("a", "state")
    assert system.now_s() == begun_s
    with pytest.raises(CallTimeout):
        system.call("a", "never", timeout_s=3600.0)
    assert system.now_s() == begun_s + 3600.0


def test_processes_wait_in_virtual_time_and_timers_fire_at_their_time():
    system, at_s = Simulation(), []
    system.spawn(Runner, name="a")
    system.beside(lambda: (system.sleep(5), at_s.append(system.monotonic_s())))
    system.beside(lambda: (system.sleep(2), at_s.append(system.monotonic_s())))
    system.sleep(10)
    assert at_s == [2.0, 5.0] and system.monotonic_s() == 10.0


def test_a_wait_for_what_cannot_happen_says_so():
    system = Simulation()
    system.spawn(Runner, name="a")
    with pytest.raises(Deadlock):
        system.call("a", "never", timeout_s=float("inf"))


def test_a_loop_in_which_time_stands_still_says_so(monkeypatch):
    monkeypatch.setattr(sim, "MAX_STEPS", 1000)
    system = Simulation()
    system.spawn(Runner, name="a")
    system.spawn(Runner, name="b")

    def again(actor):
        actor.cast("b" if actor.name == "a" else "a", again)

    system.cast("a", again)
    with pytest.raises(Livelock):
        system.settle()


def test_a_killed_process_runs_no_further_line():
    for seed in range(20):
        system, lines = Simulation(seed=seed), []
        system.spawn(Runner, name="a")
        system.spawn(Runner, name="b")

        def works(actor, lines=lines):
            for number in range(10):
                lines.append(number)
                actor.call("b", "state")

        system.cast("a", works)
        system.until(lambda lines=lines: len(lines) == 3)
        system.kill("a")
        system.settle()
        assert lines == [0, 1, 2]


STORM = """
import hashlib, logging, structlog
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
from tests.otp.test_storms import storm
print(hashlib.sha1(repr([storm(seed)[1] for seed in range(5)]).encode()).hexdigest())
"""


def test_another_interpreter_repeats_a_run_to_the_last_event():
    digests = {
        subprocess.run(
            [sys.executable, "-c", STORM],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
