"""Where FLURM answers otherwise than slurmctld and shall go on to do so: a short table, each line with its reason.

A golden is changed by it before it is compared, so that what FLURM says instead is tested as exactly as the rest. An
entry that no longer applies to its golden fails the story.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.slurm.story import Step


@dataclass(frozen=True)
class Difference:
    """In the output of a command of a story, `ours` stands where `theirs` stood; `exit` likewise, where given."""

    story: str
    command: str
    theirs: str
    ours: str
    why: str
    releases: tuple[str, ...] = ("22.05", "24.11")
    exit: int | None = None


ACCEPTED = (
    Difference(
        "sbatch-test_only_starts_nothing",
        "sbatch --test-only -N 3 -t 5 -p debug --wrap true",
        "Job <J+1> to start",
        "Job <J+0> to start",
        "a forecast only reads: it uses up no job id and writes nothing to the log",
    ),
    Difference(
        "refusal-more_nodes_than_there_are",
        "scontrol -o show job | grep JobName=toomany | grep -oE '(JobState|Reason|NumNodes|TRES)=[^ ]*'",
        "JobState=FAILED\nReason=BadConstraints\nNumNodes=9\nTRES=cpu=9,mem=900M,node=9,billing=9\nTRES=(null)\n"
        "JobState=FAILED\nReason=BadConstraints\nNumNodes=4\nTRES=cpu=4,mem=400M,node=4,billing=4\nTRES=(null)\n",
        "",
        "a refused submission leaves no record: it was never in the log, so nothing can be lost or replayed",
        releases=("24.11",),
        exit=1,
    ),
    Difference(
        "scontrol-show_config",
        "scontrol show config",
        "HASH_VAL                = <...>\n",
        "",
        "clients compare their slurm.conf with the controller's by it; FLURM's configuration need not be that file",
    ),
    Difference(
        "scontrol-show_config",
        "scontrol show config",
        "AuthInfo                = (null)",
        "AuthInfo                = socket=/mnt/cluster/flurm/munge.socket.2",
        "FLURM serves a MUNGE socket of its own and says where",
    ),
    Difference(
        "scontrol-show_config",
        "scontrol show config",
        "MPI Plugins Configuration:\n"
        "PMIxCliTmpDirBase       = (null)\n"
        "PMIxCollFence           = (null)\n"
        "PMIxDebug               = 0\n"
        "PMIxDirectConn          = yes\n"
        "PMIxDirectConnEarly     = no\n"
        "PMIxDirectConnUCX       = no\n"
        "PMIxDirectSameArch      = no\n"
        "PMIxEnv                 = (null)\n"
        "PMIxFenceBarrier        = no\n"
        "PMIxNetDevicesUCX       = (null)\n"
        "PMIxTimeout             = 300\n"
        "PMIxTlsUCX              = (null)\n",
        "",
        "FLURM has no MPI plugins to configure",
        releases=("24.11",),
    ),
)


def as_flurm_answers(release: str, story: str, steps: list[Step]) -> list[Step]:
    """What real Slurm answered, with the accepted differences put in; raises ValueError for one that is out of date."""
    for difference in ACCEPTED:
        if difference.story == story and release in difference.releases:
            steps = _with(difference, steps)
    return steps


def _with(difference: Difference, steps: list[Step]) -> list[Step]:
    changed = list(steps)
    for index, step in enumerate(steps):
        if step.command != difference.command or difference.theirs not in step.stdout + "\0" + step.stderr:
            continue
        changed[index] = replace(
            step,
            stdout=step.stdout.replace(difference.theirs, difference.ours),
            stderr=step.stderr.replace(difference.theirs, difference.ours),
            exit=step.exit if difference.exit is None else difference.exit,
        )
        return changed
    raise ValueError(f"{difference.story}: real Slurm did not say {difference.theirs!r}; take the difference out")
