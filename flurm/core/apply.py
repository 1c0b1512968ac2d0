"""`apply`: one command makes one cluster into the next.

It is pure and total: no clock, no chance, no exception for any command that decodes, and the same log gives the same
cluster on every controller. Each command's rules live in the module that the table names; where a later version of the
machine has another rule, and the cluster has switched to it, that one counts (`flurm.core.machine`).
"""

import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from flurm.core import (
    answers,
    configuration,
    control,
    dynamic_nodes,
    join_tokens,
    lifecycle,
    machine,
    nodes,
    partitions,
    program_ends,
    reboots,
    submission,
    triggers,
)  # fmt: skip
from flurm.core import commands as c
from flurm.core.effects import ProgramsChanged, Rejected, RuleFailed
from flurm.core.enums import Refusal
from flurm.core.outcome import Outcome
from flurm.core.records import Cluster


def _wake(cluster: Cluster, command: c.Wake) -> Outcome:
    return lifecycle.wake(cluster, command.now_s)


RULES: dict[type[msgspec.Struct], Callable[[Cluster, Any], Outcome]] = {
    c.SubmitJob: submission.submit,
    c.UpdateJob: control.update,
    c.KillJob: control.kill,
    c.KillJobs: control.kill_many,
    c.RequeueJob: control.requeue,
    c.TopJobs: control.top,
    c.ApplyPlan: lifecycle.apply_plan,
    c.LaunchDone: lifecycle.launch_done,
    c.BatchEnded: lifecycle.batch_ended,
    c.EpilogDone: lifecycle.epilog_done,
    c.ExpireJobs: lifecycle.expire,
    c.PurgeJobs: lifecycle.purge,
    c.Wake: _wake,
    c.RegisterNode: nodes.register,
    c.NodesResponded: nodes.responded,
    c.NodesMissing: nodes.missing,
    c.UpdateNode: nodes.update,
    c.CreateNodes: dynamic_nodes.create,
    c.DeleteNodes: dynamic_nodes.delete,
    c.CreatePartition: partitions.create,
    c.UpdatePartition: partitions.update,
    c.DeletePartition: partitions.delete,
    c.ProgramDone: program_ends.done,
    c.RemindJobs: program_ends.remind_jobs,
    c.SetTrigger: triggers.set_trigger,
    c.ClearTriggers: triggers.clear,
    c.ControllerEvent: triggers.controller_event,
    c.RunTriggers: triggers.run,
    c.RebootNodes: reboots.request,
    c.LookAtReboots: reboots.look,
    c.RebootTold: reboots.told,
    c.CloseQueue: submission.close_queue,
    c.OpenQueue: submission.open_queue,
    c.Configure: configuration.configure,
    c.CreateJoinToken: join_tokens.create,
    c.UseJoinToken: join_tokens.use,
    c.RevokeJoinToken: join_tokens.revoke,
}


def apply(cluster: Cluster, command: c.AnyCommand) -> Outcome:
    """Apply one committed command.

    A rule that fails is a bug, but a log that cannot be replayed would be a catastrophe: the command then changes
    nothing, its sender is told so, and the `RuleFailed` effect carries what went wrong.
    """
    known = answers.remembered(cluster, command.request_id)
    if known is not None:
        return Outcome(cluster.with_(version=cluster.version + 1), known)
    try:
        rule = machine.later_rule(cluster.machine_version, type(command)) or RULES[type(command)]
        outcome = rule(cluster, command)
    except Exception:
        failed = RuleFailed(type(command).__name__, traceback.format_exc())
        outcome = Outcome(cluster, Rejected(Refusal.INTERNAL), (failed,))
    after = answers.remember(outcome.cluster, command.request_id, outcome.reply)
    effects = outcome.effects if after.programs is cluster.programs else (*outcome.effects, ProgramsChanged())
    return Outcome(after.with_(version=cluster.version + 1), outcome.reply, effects)
