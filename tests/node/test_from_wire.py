"""From launch requests, recorded ones and made ones, to what the node runs."""

import msgspec
import pytest

from flurm.node.from_wire import allocated_cpus, launch_spec
from flurm.node.spec import MEM_PER_CPU, OpenMode
from protocol.messages.common import UserIdentity
from protocol.messages.credentials import CredentialBody, LaunchCredential
from protocol.messages.launch import BatchLaunch
from protocol.wire import Bits
from tests.node.test_environment import RECORDED, launch_of

FOUR_CORES = ((0, 4), (1, 5), (2, 6), (3, 7))


def recorded(job_id):
    return launch_of(next(case for case in RECORDED if case["job_id"] == job_id))


def credential(mask, nodes):
    return CredentialBody(
        job_core_bitmap=Bits(4 * nodes, mask), cores_per_socket=[2], sockets_per_node=[2], sock_core_rep_count=[nodes]
    )


def test_the_user_is_taken_from_the_credential_where_the_message_leaves_it_out():
    spec = launch_spec(recorded(68))
    assert (spec.uid, spec.user_name, spec.home) == (1001, "alice", "/home/alice")


def test_later_releases_carry_the_user_in_the_credentials_identity():
    identity = UserIdentity(uid=7, gid=8, pw_name="u", pw_dir="/h", pw_shell="/s", gids=[8, 9])
    spec = launch_spec(BatchLaunch(job_id=1, cred=LaunchCredential(credential=CredentialBody(id=identity))))
    assert (spec.uid, spec.gid, spec.gids, spec.user_name, spec.home, spec.shell) == (7, 8, (8, 9), "u", "/h", "/s")


def test_the_jobs_name_is_taken_from_its_environment():
    assert launch_spec(recorded(79)).job_name == "myname"


def test_script_arguments_and_open_mode_are_taken_over():
    spec = launch_spec(recorded(79))
    assert spec.argv[1:] == ("a", "b c")
    assert spec.script.startswith(b"#!/bin/bash\n")
    assert launch_spec(recorded(85)).open_mode is OpenMode.APPEND


@pytest.mark.parametrize(("job_id", "memory_mib"), [(68, 2000), (72, 500), (73, 200)])
def test_the_memory_limit_is_what_the_credential_gives_this_node(job_id, memory_mib):
    assert launch_spec(recorded(job_id)).memory_mib == memory_mib


def test_memory_per_cpu_is_multiplied_where_the_credential_says_nothing():
    message = BatchLaunch(job_id=1, job_mem=100 | MEM_PER_CPU, cpus_per_node=[3], cpu_count_reps=[2])
    assert launch_spec(message).memory_mib == 300


def test_an_open_mode_that_does_not_exist_is_the_default():
    assert launch_spec(msgspec.structs.replace(recorded(68), open_mode=9)).open_mode is OpenMode.DEFAULT


def test_the_credentials_cores_are_translated_to_this_machines_processors():
    assert allocated_cpus(credential(0b0110, 1), 0, FOUR_CORES) == (1, 2, 5, 6)


def test_a_later_node_finds_its_own_part_of_the_bitmap():
    assert allocated_cpus(credential(0b1000_0001, 2), 1, FOUR_CORES) == (3, 7)


@pytest.mark.parametrize("cores", [(), FOUR_CORES[:2]])
def test_nothing_is_bound_where_the_machine_does_not_look_like_the_allocation(cores):
    assert allocated_cpus(credential(0b1, 1), 0, cores) == ()
