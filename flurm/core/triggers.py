"""Triggers (strigger(1)): programs that administrators have run when something happens to jobs, nodes or controllers.

What happens to nodes and controllers is noted when it happens, and only where there are triggers
(`flurm.core.trigger_events`); jobs are looked at when it may be time. `due` says, once a second, whether anything is
to be done; `RunTriggers` then matches what was noted with what is waited for. Nodes are gathered for `GATHER_S`, so
that one program hears of all nodes that go down together; Slurm looks every 15 seconds.

A trigger that ran is gone unless it is permanent. Its program is run by `flurm.core.programs` as whoever set the
trigger, with the nodes, the job or the event as its last argument.
"""

from flurm.core.commands import ClearTriggers, ControllerEvent, RunTriggers, SetTrigger
from flurm.core.enums import JobFlag, JobState, NodeState, Refusal
from flurm.core.job_records import Job
from flurm.core.names import BadNodeList, compress, expand
from flurm.core.outcome import Outcome, is_operator, rejected
from flurm.core.programs import TRIGGER, decide
from flurm.core.record import UNLIMITED
from flurm.core.records import Cluster
from flurm.core.trigger_events import note
from flurm.core.trigger_records import EVENT_WORDS, Trigger, TriggerEvents, TriggerKind, TriggerResource

GATHER_S = 5
LIMIT_S = 300
"""A program that takes longer is killed (strigger(1), --program)."""
MOST_TRIGGERS = 10_000
_OF_NODES = TriggerKind.UP | TriggerKind.DOWN | TriggerKind.FAIL | TriggerKind.DRAINED | TriggerKind.DRAINING
_OF_NODES |= TriggerKind.RESUME
_ONCE = TriggerKind.TIME | TriggerKind.FINI


def may_set(cluster: Cluster, user_id: int) -> bool:
    """SlurmUser and root may, others where the site lets them (slurm.conf(5), allow_user_triggers)."""
    return is_operator(cluster, user_id) or cluster.settings.user_triggers


def set_trigger(cluster: Cluster, command: SetTrigger) -> Outcome:
    """Wait for an event."""
    new = command.trigger.with_(user_id=command.user_id)
    if not may_set(cluster, command.user_id):
        return rejected(cluster, Refusal.ACCESS_DENIED)
    if len(cluster.triggers) >= MOST_TRIGGERS:
        return rejected(cluster, Refusal.MAX_JOBS)
    refusal = _misfit(cluster, new)
    if refusal is not None:
        return rejected(cluster, refusal)
    if any(_is_same(new, known) for known in cluster.triggers.values()):
        return rejected(cluster, Refusal.TRIGGER_DUPLICATE)
    number = cluster.next_trigger
    return Outcome(cluster.with_(triggers=cluster.triggers.set(number, new.with_(id=number)), next_trigger=number + 1))


def _misfit(cluster: Cluster, new: Trigger) -> Refusal | None:
    if not new.program.startswith("/") or not new.kind:
        return Refusal.INVALID_ARGUMENT
    if new.resource == TriggerResource.JOB:
        job = _job_of(cluster, new)
        if job is None:
            return Refusal.INVALID_JOB_ID
        return Refusal.ALREADY_DONE if _is_over(job) else None
    if new.resource == TriggerResource.NODE and new.resource_id not in (None, "", "*"):
        try:
            known = all(name in cluster.nodes for name in expand(new.resource_id or ""))
        except BadNodeList:
            known = False
        return None if known else Refusal.INVALID_NODE_NAME
    return None


def _is_same(new: Trigger, known: Trigger) -> bool:
    return new == known.with_(id=new.id, due_s=0, argument="", fired_s=0)


def clear(cluster: Cluster, command: ClearTriggers) -> Outcome:
    """Wait no longer for what these triggers wait for; their owners and SlurmUser may say so."""
    found = [trigger for trigger in cluster.triggers.values() if _is_meant(trigger, command)]
    mine = [t for t in found if is_operator(cluster, command.user_id) or t.user_id == command.user_id]
    if not mine:
        return rejected(cluster, Refusal.ACCESS_DENIED if found else Refusal.NO_SUCH_PROCESS)
    triggers = cluster.triggers
    for trigger in mine:
        triggers = triggers.delete(trigger.id)
    return Outcome(cluster.with_(triggers=triggers))


def _is_meant(trigger: Trigger, command: ClearTriggers) -> bool:
    if command.job_id is not None:
        of_job = trigger.resource == TriggerResource.JOB and trigger.resource_id == str(command.job_id)
        if not of_job:
            return False
    if command.id is not None and trigger.id != command.id:
        return False
    return command.owner is None or trigger.user_id == command.owner


def controller_event(cluster: Cluster, command: ControllerEvent) -> Outcome:
    """Something has happened to a controller or a daemon beside it."""
    return Outcome(note(cluster, command.kinds))


def due(cluster: Cluster, now_s: int) -> bool:
    """Whether `RunTriggers` would do anything."""
    if not cluster.triggers:
        return False
    events = cluster.trigger_events
    if events is not None and (events.other or not events.since_s or now_s >= events.since_s + GATHER_S):
        return True
    look_at_idle = now_s % GATHER_S == 0
    for trigger in cluster.triggers.values():
        if trigger.due_s and trigger.due_s <= now_s:
            return True
        if trigger.resource == TriggerResource.JOB and (_of_job(cluster, trigger, TriggerEvents(), now_s) is not None):
            return True
        if trigger.resource == TriggerResource.JOB and _is_pointless(cluster, trigger):
            return True
        if look_at_idle and trigger.kind & TriggerKind.IDLE and _idle(cluster, trigger, now_s):
            return True
    return False


def run(cluster: Cluster, command: RunTriggers) -> Outcome:
    """Run the programs of all triggers whose event has been."""
    now_s = command.now_s
    cluster, events = _taken(cluster, now_s)
    for number in sorted(cluster.triggers):
        trigger = cluster.triggers[number]
        if not trigger.due_s:
            told = _matched(cluster, trigger, events, now_s)
            if told is not None:
                delay_s = 0 if trigger.kind & (TriggerKind.TIME | TriggerKind.IDLE) else max(trigger.offset_s, 0)
                trigger = trigger.with_(due_s=now_s + delay_s, argument=told)
            elif trigger.resource == TriggerResource.JOB and _is_pointless(cluster, trigger):
                cluster = cluster.with_(triggers=cluster.triggers.delete(number))
                continue
        if trigger.due_s and trigger.due_s <= now_s:
            cluster = _fire(cluster, trigger, now_s)
        else:
            cluster = cluster.with_(triggers=cluster.triggers.set(number, trigger))
    return Outcome(cluster)


def _taken(cluster: Cluster, now_s: int) -> tuple[Cluster, TriggerEvents]:
    """The events whose time has come, out of the cluster: those of nodes once they have been gathered long enough."""
    noted = cluster.trigger_events or TriggerEvents()
    since_s = noted.since_s or now_s
    if not noted.nodes or since_s + GATHER_S <= now_s:
        return cluster.with_(trigger_events=None), noted
    return cluster.with_(trigger_events=TriggerEvents(since_s, noted.nodes)), TriggerEvents(other=noted.other)


def _fire(cluster: Cluster, trigger: Trigger, now_s: int) -> Cluster:
    cluster = decide(
        cluster, TRIGGER, (trigger.program,), now_s,
        arguments=(trigger.argument,), user_id=trigger.user_id, limit_s=LIMIT_S,
    )  # fmt: skip
    if trigger.permanent and not trigger.kind & _ONCE:
        again = trigger.with_(due_s=0, argument="", fired_s=now_s)
        return cluster.with_(triggers=cluster.triggers.set(trigger.id, again))
    return cluster.with_(triggers=cluster.triggers.delete(trigger.id))


def _matched(cluster: Cluster, trigger: Trigger, events: TriggerEvents, now_s: int) -> str | None:
    """What the program is to be told, or None where the event has not been."""
    if trigger.resource == TriggerResource.JOB:
        return _of_job(cluster, trigger, events, now_s)
    for kind, word in EVENT_WORDS.items():
        if trigger.kind & events.other & kind:
            return word
    if trigger.kind & TriggerKind.IDLE and (idle := _idle(cluster, trigger, now_s)):
        return compress(idle)
    return _of_nodes(cluster, trigger, events, _named(cluster, trigger))


def _of_nodes(cluster: Cluster, trigger: Trigger, events: TriggerEvents, among: set[str] | None) -> str | None:
    found = [
        name
        for name, kinds in events.nodes.items()
        if kinds & trigger.kind & _OF_NODES and (among is None or name in among) and name in cluster.nodes
    ]
    return compress(sorted(found, key=lambda name: cluster.nodes[name].index)) if found else None


def _named(cluster: Cluster, trigger: Trigger) -> set[str] | None:
    """The nodes that a trigger names; None: all."""
    return None if trigger.resource_id in (None, "", "*") else set(expand(trigger.resource_id or ""))


def _of_job(cluster: Cluster, trigger: Trigger, events: TriggerEvents, now_s: int) -> str | None:
    job = _job_of(cluster, trigger)
    if trigger.kind & TriggerKind.FINI and (job is None or _is_over(job)):
        return trigger.resource_id
    if job is None:
        return None
    if trigger.kind & TriggerKind.TIME and job.state is JobState.RUNNING:
        limited = job.time_limit_min not in (None, UNLIMITED)
        return trigger.resource_id if limited and now_s >= job.end_s + trigger.offset_s else None
    return _of_nodes(cluster, trigger, events, set(job.node_names))


def _is_pointless(cluster: Cluster, trigger: Trigger) -> bool:
    """Whether what a trigger waits for can no longer happen to its job."""
    job = _job_of(cluster, trigger)
    return not trigger.due_s and not trigger.kind & TriggerKind.FINI and (job is None or _is_over(job))


def _is_over(job: Job) -> bool:
    return job.state.is_finished and not job.flags & JobFlag.COMPLETING


def _job_of(cluster: Cluster, trigger: Trigger) -> Job | None:
    text = trigger.resource_id or ""
    return cluster.jobs.get(int(text)) if text.isdecimal() and len(text) <= 10 else None


def _idle(cluster: Cluster, trigger: Trigger, now_s: int) -> list[str]:
    """Nodes that have been idle for the offset, and had not when the trigger last ran."""
    among = _named(cluster, trigger)
    return [
        name
        for name in cluster.node_order
        if (among is None or name in among)
        and (node := cluster.nodes[name]).is_schedulable
        and node.state is NodeState.IDLE
        and not node.jobs
        and trigger.fired_s < node.last_busy_s + max(trigger.offset_s, 0) <= now_s
    ]
