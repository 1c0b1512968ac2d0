"""sbatch: submit a batch script."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.options import parse
from flurm.client.sbatch_options import OPTIONS, from_environment, from_script
from flurm.client.sbatch_request import Options, Script, describe
from flurm.client.texts import moment
from protocol.constants import JobState, JobStateFlag, MessageType
from protocol.errno import Errno
from protocol.messages import (
    JobDescription,
    JobIdRequest,
    JobInfo,
    JobInfoResponse,
    ReturnCodeText,
    SubmitResponse,
    WillRunResponse,
)

__all__ = ["OPTIONS", "run"]

_WRAP = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n{}\n"
_FIRST_POLL_S, _LONGEST_POLL_S = 1.0, 10.0
_ALWAYS = {"quiet", "parsable", "wait", "test_only", "verbose"}


def run(argv: list[str], controller: Callable[[], Controller]) -> int:
    """Submit and return the exit status."""
    given, operands = parse("sbatch", OPTIONS, argv, operands_end=True)
    typed = dict(given)
    if "version" in typed or "help" in typed or "usage" in typed:
        from flurm.client.main import run as run_command

        return run_command("sbatch", ["--version" if "version" in typed else "--help"])
    script = _script(typed, operands)
    options = {**dict(from_script(script.text)), **dict(from_environment(os.environ)), **typed}
    options = _settle(options, typed)
    if (uid := options.get("uid")) is not None and os.getuid():
        raise CommandError("sbatch: error: --uid only permitted by root user", 255)
    if chdir := options.get("chdir"):
        script = script._replace(argv=_found_from(chdir, script.argv, operands))
    job = describe(options, script, " ".join(["sbatch", *argv]), time.time())
    if uid is not None:
        _become(job, uid, options.get("gid"))
    if "test_only" in options:
        return _test(job, controller())
    return _submit(job, options, controller())


def _settle(options: dict[str, str | None], typed: Mapping[str, str | None]) -> dict[str, str | None]:
    """Where two options exclude each other, the one typed last in the stronger place stays."""
    for one, other in (("mem", "mem_per_cpu"), ("requeue", "no_requeue"), ("exclusive", "oversubscribe")):
        if one in options and other in options:
            order = list(typed)
            loser = one if other in typed and (one not in typed or order.index(other) > order.index(one)) else other
            options.pop(loser)
    return options


def _become(job: JobDescription, uid: str, gid: str | None) -> None:
    import grp
    import pwd

    try:
        user = pwd.getpwuid(int(uid)) if uid.isdigit() else pwd.getpwnam(uid)
        job.user_id, job.group_id = user.pw_uid, user.pw_gid
        if gid is not None:
            job.group_id = int(gid) if gid.isdigit() else grp.getgrnam(gid).gr_gid
    except KeyError:
        raise CommandError(f'sbatch: error: Invalid --uid specification "{uid}"', 255) from None


def _script(typed: Mapping[str, str | None], operands: list[str]) -> Script:
    if (command := typed.get("wrap")) is not None:
        if operands:
            raise CommandError("sbatch: error: Script arguments not permitted with --wrap option")
        return Script(_WRAP.format(command), "wrap", [])
    if not operands or operands[0] == "-":
        text = sys.stdin.buffer.read()
        return Script(_checked(text), "sbatch", ["/dev/stdin", *operands[1:]] if operands else [])
    path = operands[0]
    try:
        text = Path(path).read_bytes()
    except IsADirectoryError:
        text = b""
    except OSError:
        raise CommandError(f"sbatch: error: Unable to open file {path}") from None
    return Script(_checked(text), Path(path).name, [_full_path(".", path), *operands[1:]])


def _full_path(directory: str, path: str) -> str:
    full = Path(os.path.normpath(Path.cwd() / directory / path))
    return str(full) if full.exists() else path


def _found_from(directory: str, argv: list[str], operands: list[str]) -> list[str]:
    """The script's path is looked for in the job's directory, as Slurm does it."""
    if not argv or not operands:
        return argv
    return [_full_path(directory, operands[0]), *argv[1:]]


def _checked(raw: bytes) -> str:
    """The script as text. Raises CommandError for one that cannot be meant."""
    if not raw:
        raise CommandError("sbatch: error: Batch script is empty!")
    text = raw.partition(b"\0")[0].decode(errors="surrogateescape")
    if not text.strip():
        raise CommandError("sbatch: error: Batch script contains only whitespace!")
    if not text.startswith("#!"):
        raise CommandError(
            "sbatch: error: This does not look like a batch script.  The first\n"
            "sbatch: error: line must start with #! followed by the path to an interpreter.\n"
            "sbatch: error: For instance: #!/bin/sh"
        )
    if b"\0" in raw:
        raise CommandError(
            "sbatch: error: The SLURM controller does not allow scripts that\n"
            "sbatch: error: contain a NULL character '\\0'."
        )
    if "\r\n" in text:
        raise CommandError(
            "sbatch: error: Batch script contains DOS line breaks (\\r\\n)\n"
            "sbatch: error: instead of expected UNIX line breaks (\\n)."
        )
    return text


def _ask(job: JobDescription, msg_type: MessageType, controller: Controller, failure: str) -> object:
    try:
        answer = controller.ask(msg_type, job)
    except Refused as error:
        for line in (error.message or "").splitlines():
            print(f"sbatch: error: {line}", file=sys.stderr)
        if error.number == Errno.ESLURM_INVALID_GRES:
            failure = "sbatch: error: "
        raise CommandError(f"{failure}{error}") from error
    return answer


def _submit(job: JobDescription, options: Options, controller: Controller) -> int:
    answer = _ask(job, MessageType.REQUEST_SUBMIT_BATCH_JOB, controller, "sbatch: error: Batch job submission failed: ")
    if not isinstance(answer, SubmitResponse):
        raise CommandError("sbatch: error: Batch job submission failed: Unexpected message received")
    for line in (answer.job_submit_user_msg or "").splitlines():
        print(f"sbatch: {line}", file=sys.stderr)
    if "parsable" in options:
        print(answer.job_id)
    elif "quiet" not in options:
        print(f"Submitted batch job {answer.job_id}")
    if "wait" in options:
        sys.stdout.flush()
        return _wait(answer.job_id, controller)
    return 0


def _test(job: JobDescription, controller: Controller) -> int:
    answer = _ask(job, MessageType.REQUEST_JOB_WILL_RUN, controller, "allocation failure: ")
    if isinstance(answer, WillRunResponse):
        print(
            f"sbatch: Job {answer.job_id} to start at {moment(answer.start_time)} using {answer.proc_cnt} processors"
            f" on nodes {answer.node_list} in partition {answer.part_name}",
            file=sys.stderr,
        )
        return 0
    text = answer.err_msg if isinstance(answer, ReturnCodeText) else None
    raise CommandError(f"allocation failure: {text or 'Unexpected message received'}")


def _wait(job_id: int, controller: Controller) -> int:
    """Ask until the job is over; its exit code, of an array the highest."""
    pause_s = _FIRST_POLL_S
    while True:
        pause_s = min(pause_s * 2, _LONGEST_POLL_S)
        time.sleep(pause_s)
        try:
            asked = JobIdRequest(job_id=job_id, show_flags=1)
            found = controller.fetch(JobInfoResponse, MessageType.REQUEST_JOB_INFO_SINGLE, asked).jobs
        except Refused as error:
            if error.number == Errno.ESLURM_INVALID_JOB_ID:
                return 0
            continue
        if all(_is_over(job) for job in found):
            return max((_status(job) for job in found), default=0)


def _is_over(job: JobInfo) -> bool:
    return job.job_state & 0xFF > JobState.SUSPENDED and not job.job_state & JobStateFlag.COMPLETING


def _status(job: JobInfo) -> int:
    if os.WIFEXITED(job.exit_code) and (code := os.WEXITSTATUS(job.exit_code)):
        return code
    return int(job.exit_code != 0 or job.job_state & 0xFF != JobState.COMPLETE)
