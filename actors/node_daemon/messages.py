"""What the node daemon's processes say to each other."""

from __future__ import annotations

import enum

import msgspec

from flurm.node.spec import LaunchSpec, SignalTarget, StepEnded, StepFailedToStart, StepKey
from protocol.schema import Record

STEPS, REGISTRAR, REPORTER = "flurmd_steps", "flurmd_registrar", "flurmd_reporter"


class Launch(msgspec.Struct, frozen=True):
    """Run a batch script, once; `allocated_s` is when the controller made the launch. Answered with an Errno or 0."""

    spec: LaunchSpec
    allocated_s: int
    prolog: dict[str, str] = {}
    """The environment of the job's prolog."""


class Prepare(msgspec.Struct, frozen=True):
    """Run a job's prolog before anything of it is launched, and tell the controller. Answered at once, as `Launch`."""

    job_id: int
    restart_count: int
    uid: int
    prolog: dict[str, str]
    allocated_s: int


class Terminate(msgspec.Struct, frozen=True):
    """End whatever of a job is here, then tell the controller. Answered with a `Fate`."""

    job_id: int
    grace_s: float
    reason: str = ""
    decided_s: int = 0
    epilog: dict[str, str] | None = None
    """The environment of the job's epilog, None where the controller does not know the job."""
    started_s: int = 0
    restart_count: int = 0
    uid: int = 0

    @property
    def end(self) -> tuple[int, ...]:
        """Names this end of the job among all that it has, being put back in the queue again and again."""
        return self.job_id, self.started_s, self.restart_count


class Fate(enum.Enum):
    """What became of a Terminate."""

    ENDING = "ending"
    GONE = "gone"


class Signal(msgspec.Struct, frozen=True):
    """Send a signal to a part of a job, None for its steps without the batch script. Answered with whether something
    of the job runs here."""

    job_id: int
    signum: int
    target: SignalTarget | None


class Suspend(msgspec.Struct, frozen=True):
    """Stop a job's processes, or let them go on. Answered as `Signal`."""

    job_id: int
    resume: bool = False


class Notify(msgspec.Struct, frozen=True):
    """Say something in a job's output. Answered as `Signal`."""

    job_id: int
    text: str


class OwnerOf(msgspec.Struct, frozen=True):
    """Whose job it is. Answered with a uid, None where nothing of the job is here."""

    job_id: int


class ListSteps(msgspec.Struct, frozen=True):
    """Answered with the keys of the steps that run or whose end nobody has acknowledged."""


class Resend(msgspec.Struct, frozen=True):
    """The reporter has started and knows nothing: hand it what is not acknowledged."""


class Acknowledged(msgspec.Struct, frozen=True):
    """A controller knows how a step ended."""

    key: StepKey


class EpilogDelivered(msgspec.Struct, frozen=True):
    """A controller knows that nothing of a job is left here."""

    job_id: int


class Report(msgspec.Struct, frozen=True):
    """Something that a controller must learn. `name` tells reports of a job apart; those of a job keep their order."""

    job_id: int
    name: str
    msg_type: int
    record: Record
    done: object = None
    otherwise: Report | None = None
    """What to report instead where a controller refuses this."""


class Ended(msgspec.Struct, frozen=True):
    """How a step ended and whose it was."""

    event: StepEnded | StepFailedToStart
    uid: int
