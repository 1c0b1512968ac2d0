"""Requests that may come twice: what the first one was answered is remembered, and said again.

A controller that forwards a client's request to the leader sends it again when the leader dies before it has answered.
Whether the first one was committed nobody can know, so both carry the same id, and the cluster itself knows the answer.
Only the newest `KEPT` are remembered: many more than can be under way at once.
"""

from flurm.core.effects import Reply
from flurm.core.records import Cluster

KEPT = 16_384


def remembered(cluster: Cluster, request_id: str) -> Reply | None:
    """What this request was answered before; None where it is new, or has no id."""
    return cluster.answers.get(request_id) if request_id else None


def remember(cluster: Cluster, request_id: str, reply: Reply) -> Cluster:
    """Keep an answer, and forget the oldest beyond `KEPT`."""
    if not request_id:
        return cluster
    number = cluster.answers_given
    answers = cluster.answers.set(request_id, reply)
    answered = cluster.answered.set(number, request_id)
    if number >= KEPT:
        answers = answers.delete(answered[number - KEPT])
        answered = answered.delete(number - KEPT)
    return cluster.with_(answers=answers, answered=answered, answers_given=number + 1)
