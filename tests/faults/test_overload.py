"""More work than can be done: it is bounded everywhere, clients are told to come again, and reads go on."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest

from actors import messages as m
from actors.backlog import FEW, overloaded
from actors.job_manager import JobManager
from actors.net import rpc
from actors.net.door import STANDS_STILL_S, Door
from actors.net.listener import Listener
from actors.net.request_memory import SMALL, Account, RequestMemory, largest
from actors.scheduler_engine import SchedulerEngine
from actors.tracer import SPANS, TRACER, Recent, Span, Spans, Tracer
from flurm.bridge.sackds import Sackds
from flurm.bridge.show_stats import Counters
from flurm.config.records import Config
from flurm.core.deadlines import Due
from flurm.core.records import Cluster
from flurm.otp import SIMPLE_ONE_FOR_ONE, Child, GenServer, NoReply, Ok, Overloaded, Reply, Supervisor, System, debug
from flurm.sched.plan import Plan
from protocol.constants import MessageType
from protocol.errno import Errno
from protocol.messages import BatchComplete, EpilogComplete
from protocol.versions import Version
from tests.faults.daemons import Client, Daemons, Refused

BUSY = 11  # EAGAIN
INSIDE = 56
MIB = 1 << 20
BOUND = 8 * MIB
READERS = 9
"""Threads that may each have one read of 1 MiB in hand: the handlers, and the one that watches slow connections."""


@pytest.fixture
def system():
    system = System()
    yield system
    system.stop()


class Answers(GenServer):
    """Stands for the queue manager and for a plugin: counts what it is asked and has nothing to say."""

    def init(self, args):
        return Ok(args["answer"])

    def handle_call(self, request, sender, state):
        self.system.env["asked"].put(type(request))
        return Reply(state, state)


def test_a_thousand_changes_become_one_plan(system, monkeypatch):
    monkeypatch.setattr("actors.scheduler_engine.BUILT_IN", {})
    system.env |= {
        "config": SimpleNamespace(scheduler_plugin="flurm_sched_fifo", schedule_interval=3_600_000),
        "counters": Counters(),
        "sackds": Sackds(),
        "asked": queue.Queue(),
        "scheduler_plugins": {"flurm_sched_fifo": ""},
    }
    system.terms["cluster"] = Cluster()
    plugins = Supervisor(strategy=SIMPLE_ONE_FOR_ONE, children=(Child("plugin", Answers, args={"answer": Plan()}),))
    children = (Child("flurm_queue_manager", Answers, args={"answer": ()}), Child("flurm_sched_plugin_sup", plugins))
    system.start(Supervisor(children=children))
    system.start(Supervisor(children=(Child("flurm_scheduler_engine", SchedulerEngine),)), "scheduler")
    asked = system.env["asked"]
    assert [asked.get(timeout=10), asked.get(timeout=10)] == [m.QueueOrder, m.MakePlan]

    engine = system.find("flurm_scheduler_engine")
    debug.suspend(system, "flurm_scheduler_engine")
    system.terms["cluster"] = Cluster()
    before = engine.mailbox
    for _ in range(1000):
        system.cast("flurm_scheduler_engine", m.Changed())
    assert engine.mailbox - before <= 1
    debug.resume(system, "flurm_scheduler_engine")
    assert [asked.get(timeout=10), asked.get(timeout=10)] == [m.QueueOrder, m.MakePlan]
    assert system.call("flurm_scheduler_engine", "status")["cycles"] == 2


def test_spans_that_wait_for_the_tracer_are_one_message_and_no_more_than_its_ring_holds(system):
    system.start(Supervisor(children=(Child(TRACER, Tracer),)))
    debug.suspend(system, TRACER)
    for first in range(0, SPANS + 2000, 100):
        system.cast(TRACER, Spans(tuple(Span(str(number), 0.0, 1) for number in range(first, first + 100))))
    assert system.find(TRACER).mailbox <= 2  # the wake-up for the request to suspend may be the other
    debug.resume(system, TRACER)
    assert system.call(TRACER, "status") == {"spans": SPANS, "total": SPANS + 2000}
    newest = system.call(TRACER, Recent(limit=SPANS))
    assert [newest[0].name, newest[-1].name] == [str(SPANS + 1999), "2000"]


class Small(GenServer):
    max_mailbox = 10


def test_a_process_that_stands_still_with_too_long_a_mailbox_is_seen_from_outside(system):
    system.spawn(Small, name="stuck")
    debug.suspend(system, "stuck")
    for _ in range(30):
        system.info("stuck", "hello")
    assert overloaded(system.processes())["stuck"] >= 30


class LateConsensus(GenServer):
    def handle_cast(self, message, state):
        self.system.env["proposed"].put(message)
        return NoReply(state)


def test_what_the_clock_finds_does_not_pile_up_before_a_consensus_that_lags(system, monkeypatch):
    late = Due(timed_out=(7,), past_deadline=(), purgeable=(), wake=False)
    monkeypatch.setattr("actors.job_manager.due", lambda cluster, now_s: late)
    system.env.update(proposed=queue.SimpleQueue(), config=Config())
    system.terms["cluster"] = Cluster()
    system.start(Supervisor(children=(Child("flurm_consensus", LateConsensus), Child("flurm_job_manager", JobManager))))
    consensus = system.find("flurm_consensus")
    debug.suspend(system, "flurm_consensus")
    for _ in range(3 * FEW):
        system.info("flurm_job_manager", "clock")
    _wait_until(lambda: system.find("flurm_job_manager").mailbox == 0)
    assert FEW <= consensus.mailbox <= FEW + 3
    debug.resume(system, "flurm_consensus")
    _wait_until(lambda: consensus.mailbox == 0)
    while not system.env["proposed"].empty():
        system.env["proposed"].get()
    system.info("flurm_job_manager", "clock")
    assert system.env["proposed"].get(timeout=10).token.command.ids == (7,)


def test_who_comes_to_a_full_door_waits_for_a_place():
    door = Door(1)
    with ThreadPoolExecutor(1) as other, contextlib.ExitStack() as inside:
        inside.enter_context(door.admitted("manager"))
        entered = threading.Event()

        def enter():
            with door.admitted("manager"):
                entered.set()

        later = other.submit(enter)
        assert not entered.wait(0.05)
        inside.close()
        later.result(timeout=10)
        assert entered.is_set()
    assert len(door) == 0


def test_a_door_behind_which_nothing_moves_turns_away_at_once():
    now_s = [0.0]
    door = Door(2, lambda: now_s[0])
    with door.admitted("manager"), door.admitted("manager"):
        now_s[0] = STANDS_STILL_S + 0.1
        began_s = time.monotonic()
        with pytest.raises(Overloaded, match="door to manager"), door.admitted("manager"):
            pytest.fail("there was no place")
        assert time.monotonic() - began_s < 0.2
    with door.admitted("manager"):
        assert len(door) == 1


def test_memory_of_a_request_is_given_back_once():
    memory, account = RequestMemory(100), Account()
    assert [memory.add(account, 60), memory.add(account, 60)] == [False, True]
    for _ in range(2):
        memory.release(account)
    assert (memory.held, memory.peak) == (0, 120)
    memory.add(account, 60)
    assert memory.held == 0, "what arrives on a closed connection is not held"


def test_small_requests_are_never_the_ones_to_go():
    memory, accounts = RequestMemory(1), [Account() for _ in range(3)]
    for account in accounts:
        memory.add(account, SMALL)
    assert largest(accounts) is None
    memory.add(accounts[1], 1)
    assert largest(accounts) is accounts[1]


@pytest.fixture
def listener():
    listener = Listener("127.0.0.1", 0, max_message=BOUND, max_memory=BOUND)
    listener.open()
    yield listener
    listener.close()


def test_requests_in_progress_hold_no_more_than_the_bound_and_who_holds_most_goes(listener):
    with contextlib.ExitStack() as stack:
        small, large = (stack.enter_context(socket.create_connection(listener.address)) for _ in range(2))
        small.sendall(struct.pack(">I", BOUND) + bytes(BOUND // 4))
        with _serving(listener):
            _wait_until(lambda: listener.memory.held == BOUND // 4 + 4)
            with contextlib.suppress(ConnectionError):
                large.sendall(struct.pack(">I", BOUND) + bytes(BOUND - 4))
            _wait_until(lambda: listener.counters.dropped["memory"] == 1)
            _wait_until(lambda: listener.memory.held == BOUND // 4 + 4)
        assert small.send(b"x") == 1
    assert listener.memory.peak <= BOUND + MIB


def test_a_request_that_another_thread_read_does_not_wait_behind_every_new_connection(listener):
    with contextlib.ExitStack() as stack:

        def knock(text: bytes) -> None:
            client = stack.enter_context(socket.create_connection(listener.address))
            client.sendall(struct.pack(">I", len(text)) + text)

        knock(b"read before")
        before = listener.next(10)
        for _ in range(4):
            listener.give_back(before)
            knock(b"new")
        served = [listener.next(10) for _ in range(8)]
        assert sorted(arrival.data for arrival in served[:4]) == [b"new", b"new", b"read before", b"read before"]
        for arrival in served:
            arrival.connection.close()


def test_a_served_request_holds_nothing(listener):
    with socket.create_connection(listener.address) as client:
        client.sendall(struct.pack(">I", 5) + b"hello")
        arrival = listener.next(10)
        assert (arrival.data, listener.memory.held) == (b"hello", 9)
        listener.served(arrival)
        arrival.connection.close()
    assert listener.memory.held == 0


@contextlib.contextmanager
def _serving(listener):
    """Somebody who takes what arrives."""
    done = threading.Event()

    def take():
        while not done.is_set():
            listener.next(0.05)

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _wait_until(holds, patience_s=10.0):
    deadline_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


@pytest.fixture(scope="module")
def cluster():
    with Daemons(max_message_size=BOUND, max_request_memory=BOUND) as cluster:
        cluster.await_node()
        yield cluster


@contextlib.contextmanager
def held(cluster, process):
    """A process that takes no messages for a while."""
    cluster.evaluate(f'sys.suspend("{process}")')
    try:
        yield
    finally:
        cluster.evaluate(f'sys.resume("{process}")')


def blobs(cluster):
    """How many bytes of scripts and environments are stored."""
    return sum(path.stat().st_size for path in (cluster.state_dir / "blobs").rglob("*") if path.is_file())


def pile_up(cluster, process):
    """More messages than may wait, of a kind that the process ignores."""
    cluster.evaluate(f'len([system.info("{process}", number) for number in range(13_000)])')


def shut(cluster):
    """Whether who comes now is turned away at once."""
    return cluster.evaluate('system.env["service"].door.is_shut')


@contextlib.contextmanager
def full_house(cluster, clients):
    """As many submissions wait as may; what came of each is in the yielded list once the house is empty again."""
    outcomes = []
    with ThreadPoolExecutor(INSIDE) as pool:
        with held(cluster, "flurm_consensus"):
            names = [f"inside-{number}-{time.monotonic_ns()}" for number in range(INSIDE)]
            waiting = [pool.submit(clients.submit, "true", name=name, priority=0) for name in names]
            cluster.await_that("all are inside", lambda: cluster.metric("flurm_requests_inside") == INSIDE)
            cluster.await_that("nothing moves", lambda: shut(cluster))
            yield outcomes
        outcomes += [(future.result(), name) for future, name in zip(waiting, names, strict=True)]


def test_who_comes_to_a_full_house_is_told_to_come_again_and_no_acknowledged_job_is_lost(cluster):
    old = Client(cluster.address, cluster.signer, Version.V22_05)
    refused = cluster.metric("flurm_protocol_refused_total", kind="overloaded")
    with full_house(cluster, cluster.client) as outcomes:
        stored = blobs(cluster)
        codes = []
        for client in (cluster.client, old):
            with pytest.raises(Refused) as refusal:
                client.submit(f"true # {client.version}", name="turned-away", timeout_s=5)
            codes.append(refusal.value.code)
        assert blobs(cluster) == stored, "nothing is kept of what is turned away"
        assert codes == [Errno.SLURMCTLD_COMMUNICATIONS_BACKOFF, BUSY]

        began_s = time.monotonic()
        cluster.client.ping()
        jobs = cluster.client.jobs()
        assert time.monotonic() - began_s < 2, "reads do not wait behind writes"
        assert cluster.metric("flurm_protocol_refused_total", kind="overloaded") == refused + 2
    jobs = cluster.client.jobs()
    assert {job_id: jobs[job_id].name for job_id, _ in outcomes} == dict(outcomes)
    assert len(outcomes) == INSIDE
    assert "turned-away" not in [job.name for job in jobs.values()]
    assert cluster.metric("flurm_requests_inside") == 0
    assert cluster.client.submit("true", priority=0)


@pytest.mark.parametrize(
    ("msg_type", "record"),
    [
        (MessageType.REQUEST_COMPLETE_BATCH_SCRIPT, BatchComplete(job_id=1)),
        (MessageType.MESSAGE_EPILOG_COMPLETE, EpilogComplete(job_id=1)),
    ],
)
def test_a_report_of_a_node_gets_no_error_number_that_would_be_the_end_of_it(cluster, msg_type, record):
    refused = cluster.metric("flurm_protocol_refused_total", kind="overloaded")
    with held(cluster, "flurm_job_manager"):
        pile_up(cluster, "flurm_job_manager")
        with pytest.raises(rpc.NoAnswer):
            cluster.client.ask(msg_type, record, timeout_s=5)
        with pytest.raises(Refused) as refusal:
            cluster.client.submit("true", timeout_s=5)
        assert refusal.value.code == Errno.SLURMCTLD_COMMUNICATIONS_BACKOFF
        assert cluster.metric("flurm_protocol_refused_total", kind="overloaded") == refused + 2


def test_clients_that_announce_huge_requests_cost_bounded_memory_while_others_are_served(cluster):
    process = psutil.Process(cluster.controller.pid)
    chunk = bytes(MIB)
    cluster.client.ping()
    before = process.memory_info().rss
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(cluster.address, timeout=10)) for _ in range(24)]
        for connection in crowd:
            with contextlib.suppress(ConnectionError, TimeoutError):
                connection.sendall(struct.pack(">I", BOUND))
                for _ in range(6):
                    connection.sendall(chunk)
        job_id = cluster.client.submit("true")
        assert cluster.await_end({job_id})[job_id].exit_code == 0
        cluster.await_that("some are dropped", lambda: cluster.metric("flurm_connections_dropped_total", kind="memory"))
        assert process.memory_info().rss - before < 6 * BOUND, "of the 144 MiB that were sent"
        assert cluster.metric("flurm_request_memory_peak_bytes") <= BOUND + READERS * MIB, "one read each beyond it"
    cluster.await_that("nothing is held", lambda: cluster.metric("flurm_request_memory_bytes") == 0)


def test_a_mailbox_that_is_too_long_shows_in_health_and_metrics(cluster):
    with held(cluster, "flurm_tracer"):
        pile_up(cluster, "flurm_tracer")
        health = cluster.ask_http("/health")
        assert health["status"] == "healthy"
        assert health["overloaded"]["flurm_tracer"] >= 13_000
        assert cluster.metric("flurm_process_overloaded", process="flurm_tracer") == 1
        assert cluster.metric("flurm_process_mailbox", process="flurm_tracer") >= 13_000
    cluster.await_that("it has caught up", lambda: "overloaded" not in cluster.ask_http("/health"))
    assert cluster.metric("flurm_process_overloads_total", process="flurm_tracer") >= 1
    assert cluster.metric("flurm_process_messages_total", process="flurm_tracer") >= 13_000
    assert cluster.metric("flurm_process_overloaded", process="flurm_tracer") == 0
