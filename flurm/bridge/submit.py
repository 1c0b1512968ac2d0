"""Submissions: a job description becomes a JobSpec and a command.

The command brings the script and the environment along where they are new: whoever has the command has them too, and
all of it is durable together. What only the controller's rules can tell (partitions, sizes, limits) is the core's to
judge; refused here is what the description says of itself: whose job it is, that there is a script, how large it is.
"""

from __future__ import annotations

import re

from flurm.bridge import releases, rights, users
from flurm.bridge.calls import Mapped, for_jobs
from flurm.bridge.configure import text_of
from flurm.bridge.context import Context
from flurm.bridge.job_fields import bound_wait_for_switches, given
from flurm.core.commands import SubmitJob
from flurm.core.effects import Rejected
from flurm.core.enums import Refusal
from flurm.core.job_records import JobSpec
from flurm.core.licenses import are_valid
from flurm.core.outcome import is_operator
from flurm.core.submission import default_partition
from protocol.constants import NO_VAL, JobFlag
from protocol.hostlist import HostlistError, expand, fold_sorted
from protocol.messages import JobDescription

__all__ = ["MAX_SCRIPT_BYTES", "spec_of", "submit"]

MAX_SCRIPT_BYTES = 4 << 20
"""max_script_size of slurm.conf(5)."""

NOBODY = 99
"""Clients from 23.11 on leave it to the credential to say who they are."""


def submit(record: JobDescription, context: Context) -> Mapped:
    """REQUEST_SUBMIT_BATCH_JOB."""
    spec = spec_of(record, context)
    if isinstance(spec, Rejected):
        return spec
    if not record.script:
        return Rejected(Refusal.JOB_SCRIPT_MISSING)
    if _OVERLONG_NUMBER.search(record.array_inx or ""):
        return Rejected(Refusal.INVALID_ARRAY)
    if not record.environment:
        return Rejected(Refusal.ENVIRONMENT_MISSING)
    script = _bytes(record.script)
    if len(script) >= MAX_SCRIPT_BYTES:
        return Rejected(Refusal.PATHNAME_TOO_LONG)
    environment = b"\0".join(_bytes(item) for item in record.environment if item is not None)
    (script_digest, environment_digest), new = context.introduce_blobs([script, environment])
    stored = spec.with_(script_digest=script_digest, script_size=len(script), environment_digest=environment_digest)
    return for_jobs(
        SubmitJob(
            now_s=context.now_s,
            spec=stored,
            array=record.array_inx or None,
            hold=record.priority == 0,
            blobs=new,
            strict=releases.refuses_what_never_fits(context.version),
        )
    )


def submit_het_job(record: object, context: Context) -> Mapped:
    """REQUEST_SUBMIT_BATCH_HET_JOB: there are no heterogeneous jobs here."""
    return Rejected(Refusal.NOT_SUPPORTED)


def spec_of(record: JobDescription, context: Context) -> JobSpec | Rejected:
    """What a description asks for, without its script; also for allocations and will-run tests."""
    uid = context.uid if record.user_id in (NOBODY, NO_VAL) else record.user_id
    gid = context.gid if record.group_id in (NOBODY, NO_VAL) else record.group_id
    operator = is_operator(context.cluster, context.uid)
    if uid != context.uid and not operator:
        return Rejected(Refusal.USER_ID_MISSING)
    fields = given(record)
    refusal = _check_fields(fields, context, operator)
    if refusal is not None:
        return refusal
    bound_wait_for_switches(fields, context.config.scheduler_parameters)
    refusal = keep_open_partitions(fields, context, uid)
    if refusal is not None:
        return refusal
    fields.setdefault("requeue", context.config.job_requeue)
    fields |= _task_count(fields)
    if fields.get("mail_type"):
        fields["mail_user"] = mail_address(fields.get("mail_user"), uid, context)
    if record.priority not in (NO_VAL, 0):
        fields["requested_priority"] = record.priority
    return JobSpec(
        user_id=uid,
        group_id=gid,
        user_name=users.user_name(uid),
        submit_host=_submit_host(record, context),
        submit_sid=0 if record.alloc_sid == NO_VAL else record.alloc_sid,
        argv=tuple(item for item in record.argv if item is not None),
        spank_environment=tuple(item for item in record.spank_job_env if item is not None),
        bit_flags=record.bitflags,
        kill_invalid_dependency=_kill_invalid_dependency(record.bitflags),
        response_host=record.resp_host,
        response_port=record.alloc_resp_port,
        protocol_version=context.version,
    ).with_(**fields)


def mail_address(user: object, uid: int, context: Context) -> str:
    """Whom mail about a job goes to: its owner if nobody is named, in the site's MailDomain if no host is."""
    address = str(user or users.user_name(uid) or uid)
    domain = text_of(context.config, "MailDomain")
    return f"{address}@{domain}" if domain and "@" not in address else address


def keep_open_partitions(fields: dict[str, object], context: Context, user_id: int) -> Rejected | None:
    """Of the partitions that are named, keep those whose AllowGroups has one of the user's groups, if there is any."""
    names = fields.get("partitions")
    if not isinstance(names, tuple) or not names:
        default = default_partition(context.cluster)
        closed = default is not None and not rights.may_use_by_group(default, context.cluster, user_id)
        return Rejected(Refusal.PARTITION_GROUP) if closed and names is None else None
    found = rights.open_partitions(context, user_id, names)
    if not found:
        return Rejected(Refusal.PARTITION_GROUP)
    fields["partitions"] = found
    return None


_OVERLONG_NUMBER = re.compile(r"\d{11}")
"""No id or count in Slurm has so many digits; the core's parsers need not wonder."""


def _check_fields(fields: dict[str, object], context: Context, operator: bool) -> Rejected | None:
    nice = fields.get("nice")
    if isinstance(nice, int) and nice < 0 and not operator:
        return Rejected(Refusal.INVALID_NICE)
    refusal = _fold_nodes(fields)
    if refusal is not None:
        return refusal
    if fields.get("reservation"):
        return Rejected(Refusal.RESERVATION_INVALID)
    if fields.get("licenses") and not are_valid(str(fields["licenses"]), context.cluster.settings.licenses):
        return Rejected(Refusal.INVALID_LICENSES)
    if _asks_for_gres(fields) and not any(node.gres for node in context.cluster.nodes.values()):
        return Rejected(Refusal.INVALID_GRES)
    for name, code in (("dependency", Refusal.DEPENDENCY), ("features", Refusal.INVALID_FEATURE)):
        if _OVERLONG_NUMBER.search(str(fields.get(name) or "")):
            return Rejected(code)
    return None


def _fold_nodes(fields: dict[str, object]) -> Rejected | None:
    """Write node lists the usual way; the same node can not be wanted and excluded."""
    seen: set[str] = set()
    for field in ("required_nodes", "excluded_nodes"):
        if not fields.get(field):
            continue
        try:
            names = expand(str(fields[field]))
        except HostlistError:
            return Rejected(Refusal.INVALID_NODE_NAME)
        if seen.intersection(names):
            return Rejected(Refusal.INVALID_NODE_NAME)
        seen.update(names)
        fields[field] = fold_sorted(set(names))
    return None


def _asks_for_gres(fields: dict[str, object]) -> bool:
    texts = (fields.get(name) for name in ("tres_per_job", "tres_per_node", "tres_per_socket", "tres_per_task"))
    return any("gres" in str(text) for text in texts if text)


def _kill_invalid_dependency(flags: int) -> bool | None:
    """--kill-on-invalid-dep: yes, no, or as the cluster does it."""
    if flags & JobFlag.KILL_INV_DEP:
        return True
    return False if flags & JobFlag.NO_KILL_INV_DEP else None


def _task_count(fields: dict[str, object]) -> dict[str, object]:
    """Newer clients leave it to the controller to count the tasks of --ntasks-per-node."""
    nodes, each = fields.get("min_nodes"), fields.get("ntasks_per_node")
    if "num_tasks" in fields or not isinstance(each, int) or not each:
        return {}
    return {"num_tasks": min(each * (nodes if isinstance(nodes, int) else 1), NO_VAL - 1)}


def _submit_host(record: JobDescription, context: Context) -> str | None:
    """The host that the request came from, as this controller calls it; not what the client says."""
    address = context.peer[0]
    return users.host_of(address) if address else record.alloc_node


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
