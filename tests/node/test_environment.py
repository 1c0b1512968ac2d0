"""The batch environment, against what slurmd 22.05 gave to scripts of the same launches."""

import base64
import json
from pathlib import Path

import pytest

from flurm.node import environment
from flurm.node.from_wire import launch_spec
from protocol.codec import decode_body
from protocol.constants import MessageType
from protocol.messages.launch import BatchLaunch
from protocol.versions import Version

RECORDED = json.loads((Path(__file__).parent.parent / "data/node/batch_launches.json").read_text())["cases"]
WORKING_CLUSTER = "tb:ctl1:6817:9728:109"


def launch_of(case: dict) -> BatchLaunch:
    body = base64.b64decode(case["body"])
    message = decode_body(MessageType.REQUEST_BATCH_JOB_LAUNCH, body, Version.V22_05)
    assert isinstance(message, BatchLaunch)
    return message


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['job_id']} {case['options']}")
def test_a_script_sees_the_environment_that_slurmd_gives_it(case):
    spec = launch_spec(launch_of(case), cluster_name="tb")
    assert environment.batch_environment(spec, case["node"], WORKING_CLUSTER) == case["environment"]


def test_the_daemons_slurm_conf_is_the_scripts_whatever_the_user_had():
    spec = launch_spec(launch_of(RECORDED[0]), cluster_name="tb")
    assert environment.batch_environment(spec, "n1", slurm_conf="/site/slurm.conf")["SLURM_CONF"] == "/site/slurm.conf"
