"""The messages of a busy run, compared with the documented interaction matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from flurm.application import Application
from flurm.config import load
from protocol.constants import JobState
from tests.faults import matrix
from tests.faults.daemons import BASE_STATE, Daemons


class Message(NamedTuple):
    sender: str
    receiver: str
    kind: str
    type: str


class Tapped(Daemons):
    """A controller in this very process, whose messages are recorded from its start on."""

    def start(self) -> None:
        config = load(self.config)
        self.application = Application(config, self.config)
        self.application.start()
        self.node_name = config.slurmd.node_name
        self.messages: set[Message] = set()
        system = self.application.system
        assert system is not None
        system.tap = lambda sender, receiver, kind, type_: self.messages.add(
            Message(sender, receiver, kind, type_.__name__)
        )

    def close(self) -> None:
        self.application.stop()
        super().close()


@pytest.fixture(scope="module")
def messages() -> Iterator[set[Message]]:
    with Tapped(heartbeat_interval=500) as cluster:
        cluster.await_node()
        busy(cluster)
        yield set(cluster.messages)


def busy(cluster: Tapped) -> None:
    """Everything that the components have to do with each other."""
    client = cluster.client
    short = {client.submit(f"exit {code}") for code in range(5)}
    long, held = client.submit("sleep 100"), client.submit("true", priority=0)
    cluster.await_end(short)
    cluster.await_that("the long job runs", lambda: client.jobs()[long].job_state & BASE_STATE == JobState.RUNNING)
    orders = (
        ("scontrol", "requeue", str(long)),
        ("scontrol", "update", f"jobid={held}", "timelimit=5"),
        ("scontrol", "release", str(held)),
        ("scontrol", "update", "partitionname=debug", "state=drain"),
        ("scontrol", "update", "partitionname=debug", "state=up"),
        ("scontrol", "update", f"nodename={cluster.node_name}", "state=drain", "reason=test"),
        ("scontrol", "update", f"nodename={cluster.node_name}", "state=resume"),
        ("scontrol", "reconfigure"),
        ("squeue",),
        ("sinfo",),
        ("scancel", str(long)),
    )
    for words in orders:
        done = cluster.run(*words)
        assert done.returncode == 0, (words, done.stderr)
    cluster.await_end({long, held})
    cluster.ask_http("/health")


def test_nobody_talks_to_whom_the_matrix_keeps_apart(messages):
    strays = {message for message in messages if not matrix.is_allowed(message.sender, message.receiver, message.kind)}
    assert strays == set()


def test_the_run_was_busy_enough_to_tell(messages):
    """What must have been said for jobs to run and orders to be carried out."""
    said = {(matrix.component(message.sender), matrix.component(message.receiver)) for message in messages}
    assert said >= {
        (matrix.PROTOCOL, matrix.JOBS),
        (matrix.PROTOCOL, "flurm_partition_manager"),
        (matrix.JOBS, matrix.NODES),
        (matrix.JOBS, matrix.STATE),
        (matrix.NODES, matrix.STATE),
        (matrix.SCHEDULER, matrix.STATE),
        (matrix.SCHEDULER, "flurm_queue_manager"),
        (matrix.STATE, matrix.JOBS),
        (matrix.STATE, matrix.NODES),
        (matrix.STATE, matrix.SCHEDULER),
    }


def test_managers_wait_for_nobody_in_their_mailbox(messages):
    """Only the scheduler engine waits, for the order of the queue and for a plan."""
    waits = {(message.sender, message.receiver) for message in messages if message.kind == "call"}
    managers = {name for name, component in matrix.COMPONENT.items() if component != matrix.PROTOCOL}
    assert {sender for sender, _ in waits} & managers <= {"flurm_scheduler_engine"}
