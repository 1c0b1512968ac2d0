"""A site's programs around a job, as a controller sees them: what it hears, and what it may ask for."""

import os
import signal

import pytest

from actors.net import rpc
from protocol.constants import JobStateFlag, MessageType
from protocol.errno import Errno
from protocol.messages.launch import PrologLaunch
from protocol.messages.nodes import RebootRequest
from protocol.messages.replies import ReturnCode
from tests.node_daemon.conftest import USER, Cluster
from tests.node_daemon.controller import KillJob, kill, launch

SLURM_CONF = """\
ClusterName=t
SlurmctldHost=localhost
Prolog={place}/prolog
Epilog={place}/epilog
HealthCheckProgram={place}/health
RebootProgram={place}/reboot
HealthCheckInterval=3600
NodeName=n1 CPUs=2 RealMemory=512
PartitionName=all Nodes=n1
"""


class Site(Cluster):
    """A cluster whose slurm.conf names programs; each writes what it has to say into a pipe of its name."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("prolog", "epilog", "health", "reboot"):
            os.mkfifo(self.place / f"{name}.said")
            self.program(name, "true")
        conf = self.place / "slurm.conf"
        conf.write_text(SLURM_CONF.format(place=self.place))
        self.config.write_text(f'[flurm]\nstate_dir = "{self.place}/state"\nslurm_conf = "{conf}"\n')

    def program(self, name: str, body: str) -> None:
        path = self.place / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def said(self, name: str) -> str:
        """What a program says next."""
        return (self.place / f"{name}.said").read_text().strip()

    def says(self, name: str, text: str, then: str = "") -> None:
        """Have a program say something, then do something."""
        self.program(name, f"echo {text} > {self.place}/{name}.said; {then}")

    def terminate(self, job_id: int, **changes: object) -> int:
        record = self.termination(job_id, **changes)
        return self.node.code(MessageType.REQUEST_TERMINATE_JOB, record)

    def termination(self, job_id: int, **changes: object) -> KillJob:
        record = kill(job_id)
        record.has_slurm_cred, record.slurm_cred = 1, self.credential(job_id)
        for name, value in changes.items():
            setattr(record, name, value)
        return record

    def credential(self, job_id: int) -> object:
        return launch(job_id, "", str(self.work), USER.pw_uid, USER.pw_gid).cred

    def epilog(self, job_id: int) -> int:
        """The number with which a node says that nothing of a job is left."""
        return self.controller.wait_for(MessageType.MESSAGE_EPILOG_COMPLETE, job_id).record.return_code


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


def test_a_job_waits_for_its_prolog_and_its_end_for_its_epilog(site):
    (site.work / "trace").touch()
    (site.work / "trace").chmod(0o666)
    site.says("prolog", "$SLURM_SCRIPT_CONTEXT $SLURM_JOB_ID $SLURM_JOB_USER", f"echo prolog >> {site.work}/trace")
    site.says("epilog", "$SLURM_SCRIPT_CONTEXT $SLURM_JOB_EXIT_CODE2")
    site.start()
    assert site.launch(7, f"echo job >> {site.work}/trace; exit 3") == 0
    assert site.said("prolog") == f"prolog_slurmd 7 {USER.pw_name}"
    assert site.ended(7).job_rc == 3 << 8
    assert (site.work / "trace").read_text() == "prolog\njob\n"
    assert site.terminate(7, exit_code=3 << 8) == 0
    assert site.said("epilog") == "epilog_slurmd 3:0"
    assert site.epilog(7) == 0


def test_a_job_whose_prolog_fails_is_put_back_in_the_queue_and_the_node_says_that_it_is_unfit(site):
    site.program("prolog", "exit 3")
    site.start()
    site.launch(7, "echo ran")
    requeued = site.controller.wait_for(MessageType.REQUEST_JOB_REQUEUE, 7).record
    assert requeued.flags == JobStateFlag.REQUEUE_HOLD | JobStateFlag.LAUNCH_FAILED
    told = [site.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS).record.status for _ in range(2)]
    assert told == [0, Errno.ESLURMD_PROLOG_FAILED]
    assert not (site.work / "slurm-7.out").exists()


def test_a_job_that_may_not_be_put_back_is_killed(site):
    site.program("prolog", "exit 3")
    refusal = MessageType.RESPONSE_SLURM_RC, ReturnCode(return_code=Errno.ESLURM_DISABLED)
    accepted = MessageType.RESPONSE_SLURM_RC, ReturnCode()
    site.controller.answers = lambda heard: refusal if heard.msg_type == MessageType.REQUEST_JOB_REQUEUE else accepted
    site.start()
    site.launch(7, "echo ran")
    killed = site.controller.wait_for(MessageType.REQUEST_KILL_JOB).record
    assert (killed.step_id.job_id, killed.signal) == (7, signal.SIGKILL)


def test_a_job_that_is_ended_while_its_prolog_runs_never_begins(site):
    site.says("prolog", "begun", f"read go < {site.place}/prolog.said")
    site.start()
    site.launch(7, "echo ran")
    assert site.said("prolog") == "begun"
    assert site.terminate(7) == 0
    (site.place / "prolog.said").write_text("go\n")
    assert site.ended(7).job_rc == signal.SIGTERM
    assert site.epilog(7) == 0
    assert not (site.work / "slurm-7.out").exists()


def test_a_prolog_that_a_crash_of_the_daemon_cut_off_is_run_again(site):
    site.says("prolog", "$$", "exec sleep 600")
    site.start()
    site.launch(7, "exit 4")
    first = int(site.said("prolog"))
    site.stop(signal.SIGKILL)
    os.kill(first, signal.SIGKILL)
    site.says("prolog", "again")
    site.start()
    assert site.said("prolog") == "again"
    assert site.ended(7).job_rc == 4 << 8


def test_an_epilog_that_fails_is_reported(site):
    site.program("epilog", "exit 1")
    site.start()
    site.launch(7, "true")
    site.ended(7)
    site.terminate(7)
    assert site.epilog(7) == Errno.ESLURMD_EPILOG_FAILED


def test_a_node_that_ran_nothing_of_a_job_runs_its_epilog_all_the_same_but_once(site):
    site.says("epilog", "$SLURM_JOB_ID")
    site.start()
    assert site.terminate(8, start_time=1000) == 0
    assert (site.said("epilog"), site.epilog(8)) == ("8", 0)
    codes = {site.terminate(8, start_time=1000) for _ in range(3)}
    assert Errno.ESLURMD_KILL_JOB_ALREADY_COMPLETE in codes
    assert site.terminate(8, start_time=2000) == 0
    assert site.said("epilog") == "8"


def test_a_prolog_that_the_controller_asks_for_is_run_once_and_the_launch_waits_for_it(site):
    site.says("prolog", "begun", f"read go < {site.place}/prolog.said")
    site.start()
    request = PrologLaunch(job_id=7, nodes="n1", slurm_cred=site.credential(7), work_dir="/")
    assert site.node.code(MessageType.REQUEST_LAUNCH_PROLOG, request) == 0
    assert site.said("prolog") == "begun"
    site.launch(7, "exit 5")
    (site.place / "prolog.said").write_text("go\n")
    assert site.controller.wait_for(MessageType.REQUEST_COMPLETE_PROLOG, 7).record.prolog_rc == 0
    assert site.ended(7).job_rc == 5 << 8


def test_health_is_checked_before_the_node_registers_and_when_asked(site):
    site.says("health", "checked $SLURMD_NODENAME")
    site.start()
    assert site.controller.drain(MessageType.MESSAGE_NODE_REGISTRATION_STATUS) == []
    assert site.said("health") == "checked n1"
    site.controller.wait_for(MessageType.MESSAGE_NODE_REGISTRATION_STATUS)
    assert site.node.code(MessageType.REQUEST_HEALTH_CHECK) == 0
    assert site.said("health") == "checked n1"


def test_the_reboot_program_gets_the_features_that_the_node_shall_have(site):
    site.program("reboot", f'echo "$#" "$1" > {site.place}/reboot.said')
    site.start()
    with pytest.raises(rpc.NoAnswer):
        site.node.ask(MessageType.REQUEST_REBOOT_NODES, RebootRequest(features="fast,big", node_list="n1"))
    assert site.said("reboot") == "1 fast,big"
