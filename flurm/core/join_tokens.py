"""Tokens with which nodes join: how long each counts, and for how many.

A token is signed with the cluster's key, so none can be invented. What a signature cannot say is replicated: how often
a token has been used, and that it was revoked; so every controller refuses the same ones.
"""

from __future__ import annotations

import msgspec

from flurm.core.commands import CreateJoinToken, RevokeJoinToken, UseJoinToken
from flurm.core.enums import Refusal
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.records import Cluster, JoinToken

MOST = 1000
"""So many tokens that have not expired there may be."""


def create(cluster: Cluster, command: CreateJoinToken) -> Outcome:
    """Let a token count; those that have expired are forgotten."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.ACCESS_DENIED)
    if command.expires_s <= command.now_s or command.uses < 1:
        return rejected(cluster, Refusal.UNSPECIFIED, "a token must count for some time and for some node")
    tokens = cluster.join_tokens
    for known in cluster.join_tokens.values():
        if known.expires_s <= command.now_s:
            tokens = tokens.delete(known.id)
    if command.id in tokens or len(tokens) >= MOST:
        text = f"there are {MOST} tokens already; revoke one"
        return rejected(cluster, Refusal.UNSPECIFIED, text if command.id not in tokens else "the id is taken")
    token = JoinToken(command.id, command.now_s, command.expires_s, command.uses)
    return Outcome(cluster.with_(join_tokens=tokens.set(token.id, token)))


def use(cluster: Cluster, command: UseJoinToken) -> Outcome:
    """A node joins: one use less."""
    token = cluster.join_tokens.get(command.id)
    if token is None:
        return rejected(cluster, Refusal.ACCESS_DENIED, "this token was revoked, or has expired")
    if token.expires_s <= command.now_s:
        return rejected(cluster, Refusal.ACCESS_DENIED, "this token has expired")
    if token.uses < 1:
        by = ", ".join(token.joined)
        return rejected(cluster, Refusal.ACCESS_DENIED, f"this token has been used as often as it may be, by {by}")
    used = msgspec.structs.replace(token, uses=token.uses - 1, joined=(*token.joined, command.node))
    return Outcome(cluster.with_(join_tokens=cluster.join_tokens.set(used.id, used)))


def revoke(cluster: Cluster, command: RevokeJoinToken) -> Outcome:
    """Forget a token; nodes that joined with it have the key and stay."""
    if not is_operator(cluster, command.user_id):
        return rejected(cluster, Refusal.ACCESS_DENIED)
    if command.id not in cluster.join_tokens:
        return rejected(cluster, Refusal.UNSPECIFIED, f"there is no token {command.id}")
    return Outcome(cluster.with_(join_tokens=cluster.join_tokens.delete(command.id)))
