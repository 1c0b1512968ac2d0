"""What sbatch makes of its options, compared with what Slurm's sent for the same ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from flurm.client import sbatch, scancel
from flurm.client.connection import Controller
from flurm.client.errors import CommandError, Refused
from flurm.client.sbatch_request import Script, describe
from protocol.auth import MungeKey, Signer
from protocol.constants import MEM_PER_CPU, NICE_OFFSET, JobFlag, MessageType
from protocol.errno import Errno
from protocol.messages import JobDescription, KillStep, ReturnCode, SubmitResponse
from protocol.schema import Record

SCRIPT = Script("#!/bin/sh\ntrue\n", "job.sh", ["/x/job.sh"])


class Submissions(Controller):
    """Accepts everything and keeps it; `refusal` is answered instead."""

    def __init__(self, refusal: Refused | None = None) -> None:
        super().__init__([("localhost", 1)], Signer(MungeKey(bytes(32)), 0, 0))
        self.kept: list[Record | None] = []
        self.refusal = refusal

    def ask(
        self, msg_type: MessageType, record: Record | None = None, *, address: tuple[str, int] | None = None
    ) -> Record:
        """Keep the record and answer."""
        if self.refusal is not None:
            raise self.refusal
        self.kept.append(record)
        return SubmitResponse(job_id=7) if isinstance(record, JobDescription) else ReturnCode()


def test_counts_become_what_slurm_sends():
    job = describe({"ntasks": "2", "nodes": "2"}, SCRIPT, "sbatch", 0)
    assert (job.num_tasks, job.min_nodes, job.max_nodes, job.min_cpus) == (2, 2, 2, 2)
    assert job.bitflags == 503332864
    assert "SLURM_NTASKS=2" in job.environment and "SLURM_NPROCS=2" in job.environment


def test_memory_nice_and_flags():
    options = {"mem_per_cpu": "1G", "nice": None, "hold": None, "no_requeue": None, "exclusive": "user"}
    job = describe(options, SCRIPT, "sbatch", 0)
    assert job.pn_min_memory == 1024 | MEM_PER_CPU
    assert (job.nice, job.priority, job.requeue, job.shared) == (NICE_OFFSET + 100, 0, 0, 2)
    assert job.bitflags & JobFlag.USE_DEFAULT_PART


@pytest.mark.parametrize(
    ("options", "complaint", "status"),
    [
        ({"ntasks": "0"}, 'sbatch: error: Invalid numeric value "0" for --ntasks.', 1),
        ({"time": "never"}, "sbatch: error: Invalid --time specification", 255),
        ({"nodes": "2-1"}, "sbatch: error: Maximum node count 1 is less than minimum node count 2", 255),
        ({"nodes": "1", "nodelist": "n1,n2"}, "sbatch: error: invalid number of nodes (-N 2-1)", 1),
    ],
)
def test_what_makes_no_sense_is_refused_with_slurms_words(options: dict[str, str], complaint: str, status: int):
    with pytest.raises(CommandError) as caught:
        describe(options, SCRIPT, "sbatch", 0)
    assert (str(caught.value), caught.value.status) == (complaint, status)


def test_a_script_with_arguments_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.sh").write_text("#!/bin/sh\n#SBATCH -J lines -n 3\ntrue\n")
    controller = Submissions()
    assert sbatch.run(["-n", "2", "job.sh", "a", "-n"], lambda: controller) == 0
    (job,) = controller.kept
    assert isinstance(job, JobDescription)
    assert (job.name, job.num_tasks, job.argv) == ("lines", 2, [str(tmp_path / "job.sh"), "a", "-n"])
    assert capsys.readouterr().out == "Submitted batch job 7\n"


def test_a_refusal_is_told_with_the_controllers_words(capsys: pytest.CaptureFixture[str]):
    refusal = Refused(Errno.ESLURM_INVALID_PARTITION_NAME, "invalid partition specified: nope")
    with pytest.raises(CommandError) as caught:
        sbatch.run(["-p", "nope", "--wrap", "true"], lambda: Submissions(refusal))
    assert str(caught.value) == "sbatch: error: Batch job submission failed: Invalid partition name specified"
    assert capsys.readouterr().err == "sbatch: error: invalid partition specified: nope\n"


def test_scancel_signals_arrays_tasks_and_the_batch_script():
    controller = Submissions()
    assert scancel.run(["-s", "USR1", "--batch", "5_1", "6"], lambda: controller) == 0
    sent = [(each.sjob_id, each.signal, each.flags) for each in controller.kept if isinstance(each, KillStep)]
    assert sent == [("5_1", 10, 1), ("6", 10, 1)]
