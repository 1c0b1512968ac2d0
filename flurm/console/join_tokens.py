"""Tokens with which nodes join: made, listed and revoked on the controller that leads."""

from __future__ import annotations

import secrets
import time
from typing import Any

from actors import messages as m
from actors.leadership import is_in_charge, leader_of
from actors.net.joining import tokens
from actors.net.joining.door import JoinDoor
from flurm.console.refused import Refused
from flurm.core import commands as c
from flurm.core.effects import Rejected
from flurm.core.records import Cluster

__all__ = ["JoinTokens"]

CALL_S = 5.0
LONGEST_S = 366 * 86400
MOST_USES = 10_000


class JoinTokens:
    """Tokens that give nodes the cluster's key."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def __repr__(self) -> str:
        return "<JoinTokens: create, list, revoke>"

    def create(self, ttl_s: int = 3600, uses: int = 1) -> str:
        """A new token: so many nodes may join with it, for so many seconds. Who has it can get the cluster's key."""
        if not 0 < ttl_s <= LONGEST_S or not 0 < uses <= MOST_USES:
            raise Refused(f"expected 1 to {LONGEST_S} seconds and 1 to {MOST_USES} nodes, found {ttl_s} and {uses}")
        door, config = self._door(), self._system.env["config"]
        now_s = int(time.time())
        made = c.CreateJoinToken(
            now_s=now_s, user_id=0, id=secrets.token_hex(8), expires_s=now_s + int(ttl_s), uses=int(uses)
        )
        claims = tokens.Claims(
            cluster=config.cluster_name,
            id=made.id,
            expires_s=made.expires_s,
            authorities=tokens.authorities_of(door.files.ca),
            doors=tuple(f"{each.host}:{config.join_port}" for each in config.all_controllers),
            controllers=tuple(f"{each.host}:{each.port}" for each in config.all_controllers),
        )
        self._carry_out(made)
        return tokens.seal(door.key, claims, now_s)

    def list(self) -> list[dict[str, Any]]:
        """Every token that still counts: its id, until when, for how many more nodes, and who has joined with it."""
        cluster: Cluster = self._system.terms["cluster"]
        now_s = time.time()
        return [
            {
                "token": each.id,
                "expires": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.expires_s)),
                "uses_left": each.uses,
                "joined": ",".join(each.joined),
            }
            for each in sorted(cluster.join_tokens.values(), key=lambda token: token.expires_s)
            if each.expires_s > now_s
        ]

    def revoke(self, token: str) -> str:
        """Let nobody join with this token (its id) any more; nodes that joined with it stay."""
        self._carry_out(c.RevokeJoinToken(now_s=int(time.time()), user_id=0, id=token))
        return f"nobody joins with {token} any more"

    def _door(self) -> JoinDoor:
        door: JoinDoor | None = self._system.env.get("join_door")
        if door is None:
            raise Refused("nodes cannot join with tokens: set join_port on every controller, and restart them")
        return door

    def _carry_out(self, command: c.AnyCommand) -> None:
        if not is_in_charge(self._system.terms):
            raise Refused(f"this controller does not lead: do it on {leader_of(self._system.terms) or 'the leader'}")
        reply = self._system.call("flurm_job_manager", m.Request(command), CALL_S)
        if isinstance(reply, Rejected):
            raise Refused(reply.text or reply.code.value)
        if isinstance(reply, m.Unavailable):
            raise Refused(reply.detail or reply.reason.value)
