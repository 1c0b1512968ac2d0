"""From a `LaunchSpec` to the plan that a step manager carries out: every decision is taken here, none by the manager.

The plan is a plain dictionary that the spool keeps as JSON; `task` and `stepd` read it without any library.
"""

from __future__ import annotations

import os
import pwd
from typing import Any

import msgspec

from flurm.node import environment, filenames
from flurm.node.spec import BATCH_STEP, ESLURMD_UID_NOT_FOUND, LaunchSpec, OpenMode

_DEFAULT_UMASK = 0o022


class StepPrograms(msgspec.Struct, frozen=True, kw_only=True):
    """Programs of the site that a step manager runs: paths, empty for none."""

    task_prolog: str = ""
    task_epilog: str = ""
    unkillable: str = ""
    unkillable_s: float = 60.0
    slurm_conf: str = ""


NO_PROGRAMS = StepPrograms()


class LaunchRefusedError(Exception):
    """This node cannot run the step at all; `slurm_rc` is the error to answer with."""

    def __init__(self, message: str, slurm_rc: int = ESLURMD_UID_NOT_FOUND) -> None:
        super().__init__(message)
        self.slurm_rc = slurm_rc


def make_plan(
    spec: LaunchSpec,
    node_name: str,
    host: str,
    working_cluster: str = "",
    cgroup_root: str = "",
    programs: StepPrograms = NO_PROGRAMS,
) -> dict[str, Any]:
    """The plan of a batch step on this node; raises `LaunchRefusedError` where this daemon may not run it."""
    spec = _complete_user(spec)
    submitted = environment.read_submitted(spec.environment)
    variables = environment.batch_environment(spec, node_name, working_cluster, programs.slurm_conf)
    stdout = filenames.expand(filenames.stdout_pattern(spec), spec, host)
    return {
        "name": spec.key.name,
        "job_id": spec.job_id,
        "step": "batch" if spec.step_id == BATCH_STEP else str(spec.step_id),
        "node": node_name,
        "user": spec.user_name,
        "home": spec.home,
        "shell": spec.shell,
        "uid": spec.uid,
        "gid": spec.gid,
        "gids": list(spec.gids),
        "arguments": list(spec.argv[1:]),
        "environment": variables,
        "login": submitted.wants_login,
        "limits": submitted.limits,
        "umask": _DEFAULT_UMASK if submitted.umask is None else submitted.umask,
        "work_dir": spec.work_dir or "/tmp",
        "stdin": filenames.expand(spec.std_in or "/dev/null", spec, host),
        "stdout": stdout,
        "stderr": filenames.expand(spec.std_err, spec, host) if spec.std_err else None,
        "append": spec.open_mode is OpenMode.APPEND,
        "cpu_ids": list(spec.cpu_ids),
        "memory_mib": spec.memory_mib,
        "cgroup_root": cgroup_root,
        "programs": msgspec.structs.asdict(programs),
    }


def _complete_user(spec: LaunchSpec) -> LaunchSpec:
    """Fills in what the launch leaves to the node's own user database; refuses users that this daemon cannot become."""
    own = os.geteuid()
    if own != 0 and spec.uid != own:
        raise LaunchRefusedError(
            f"job {spec.job_id} belongs to uid {spec.uid}, but this node daemon runs as uid {own} and can only run "
            "that user's jobs: start flurmd as root to serve others"
        )
    try:
        entry = pwd.getpwuid(spec.uid)
    except KeyError:
        if spec.user_name and spec.gids:
            return spec
        raise LaunchRefusedError(f"job {spec.job_id}: uid {spec.uid} is unknown on this node") from None
    gids = spec.gids or tuple(os.getgrouplist(spec.user_name or entry.pw_name, spec.gid))
    return msgspec.structs.replace(
        spec,
        user_name=spec.user_name or entry.pw_name,
        home=spec.home or entry.pw_dir,
        shell=spec.shell or entry.pw_shell,
        gids=gids,
    )
