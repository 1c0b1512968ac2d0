"""Requests of slurmctld's table that FLURM does not carry out, what each is answered, and why.

Nobody who asks finds the connection closed: a request named here gets the number that its line gives, one that is named
nowhere gets EINVAL. `states` tells of every request what becomes of it; docs/rpcs.md is `page()`
(`python -m flurm.bridge.absent > docs/rpcs.md`).
"""

from __future__ import annotations

import errno

from flurm.bridge import queries, requests, rights
from flurm.bridge.context import Context
from protocol import messages as wire
from protocol.constants import MessageType
from protocol.errno import Errno

__all__ = ["ABSENT", "answer", "page", "states"]

_NO_JOB = Errno.ESLURM_INVALID_JOB_ID
_NO_SUCH = Errno.ESLURM_RESERVATION_INVALID
_NOT_YET = Errno.ESLURM_NOT_SUPPORTED
_EINVAL = errno.EINVAL

ABSENT: dict[int, tuple[int, str]] = {
    MessageType.REQUEST_UPDATE_RESERVATION: (_NO_SUCH, "there are no reservations, so none has that name"),
    MessageType.REQUEST_DELETE_RESERVATION: (_NO_SUCH, "there are no reservations, so none has that name"),
    MessageType.REQUEST_CREATE_RESERVATION: (_NOT_YET, "reservations are not built"),
    MessageType.REQUEST_UPDATE_CRONTAB: (Errno.SLURM_ERROR, "scrontab is not built"),
    MessageType.REQUEST_UPDATE_FRONT_END: (Errno.ESLURM_INVALID_NODE_NAME, "there are no front-end nodes"),
    MessageType.REQUEST_JOB_SBCAST_CRED: (Errno.ESLURM_INVALID_JOB_ID, "sbcast is not built"),
    MessageType.REQUEST_SBCAST_CRED_NO_JOB: (Errno.ESLURM_INVALID_NODE_NAME, "sbcast is not built"),
    MessageType.REQUEST_UPDATE_JOB_STEP: (
        Errno.ESLURM_INVALID_JOB_ID,
        "steps have no time limit that could be changed",
    ),
    MessageType.REQUEST_STEP_BY_CONTAINER_ID: (Errno.ESLURM_INVALID_CONTAINER_ID, "steps run in no containers"),
    MessageType.REQUEST_NODE_ALIAS_ADDRS: (_EINVAL, "nodes have no aliases in the cloud"),
    MessageType.REQUEST_RESOURCE_LAYOUT: (_EINVAL, "not built"),
    MessageType.REQUEST_NODE_REGISTRATION_STATUS: (_EINVAL, "not built towards a controller"),
    MessageType.REQUEST_DBD_RELAY: (_EINVAL, "no accounting daemon is relayed to"),
    MessageType.REQUEST_TLS_CERT: (Errno.SLURM_ERROR, "certificates are not handed out over Slurm's protocol"),
    MessageType.REQUEST_CTLD_MULT_MSG: (Errno.ESLURM_ACCESS_DENIED, "there is no federation"),
    MessageType.REQUEST_SIB_JOB_LOCK: (Errno.ESLURM_ACCESS_DENIED, "there is no federation"),
    MessageType.REQUEST_SIB_JOB_UNLOCK: (Errno.ESLURM_ACCESS_DENIED, "there is no federation"),
    MessageType.REQUEST_PERSIST_INIT: (_EINVAL, "there is no federation, and srun keeps no connection"),
    MessageType.REQUEST_PERSIST_INIT_TLS: (_EINVAL, "there is no federation, and srun keeps no connection"),
    MessageType.RESPONSE_UPDATE_JOB_MEM: (_EINVAL, "not built"),
    MessageType.ACCOUNTING_UPDATE_MSG: (_EINVAL, "an accounting daemon's changes are not taken"),
    MessageType.ACCOUNTING_FIRST_REG: (_EINVAL, "an accounting daemon's changes are not taken"),
    MessageType.ACCOUNTING_REGISTER_CTLD: (_EINVAL, "an accounting daemon's changes are not taken"),
}


def answer(msg_type: int, context: Context) -> tuple[MessageType, wire.ReturnCode]:
    """What a request is told that nothing here carries out: first whether its sender may ask for that at all."""
    code = rights.refusal(msg_type, context) or ABSENT.get(msg_type, (_EINVAL, ""))[0]
    return MessageType.RESPONSE_SLURM_RC, wire.ReturnCode(return_code=int(code) & 0xFFFFFFFF)


def states() -> dict[MessageType, str]:
    """What becomes of every request that a controller knows, in the order of their numbers."""
    found = {MessageType(number): "served" for number in (*queries.served(), *requests.served())}
    found[MessageType.REQUEST_AUTH_TOKEN] = "served"
    for number in requests.unsupported():
        found[MessageType(number)] = "refused: ESLURM_NOT_SUPPORTED, not built"
    for number, (code, reason) in ABSENT.items():
        found[MessageType(number)] = f"refused: {_name(code)}, {reason}"
    return dict(sorted(found.items()))


def _name(code: int) -> str:
    return code.name if isinstance(code, Errno) else errno.errorcode[code]


def page() -> str:
    """docs/rpcs.md."""
    rows = "".join(
        f"| {int(number)} | {number.name} | {rights.who(number)} | {state} |\n" for number, state in states().items()
    )
    return (
        "# Requests to the controller\n\n"
        "Every request that slurmctld of 22.05 to 26.05 serves, and what FLURM makes of it. Written by\n"
        "`python -m flurm.bridge.absent`. A number that is not here gets EINVAL.\n\n"
        "Operators are root and SlurmUser (`flurm/bridge/rights.py`).\n\n"
        f"| number | request | who may | state |\n|---|---|---|---|\n{rows}"
    )


if __name__ == "__main__":
    print(page(), end="")
