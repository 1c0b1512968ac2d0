"""The machine's facts, against what slurmd finds where it is installed."""

import os
import re
import shutil
import subprocess

import pytest

from flurm.node import inventory


@pytest.mark.slurm
@pytest.mark.skipif(shutil.which("slurmd") is None, reason="needs slurmd")
def test_the_hardware_is_what_slurmd_finds():
    printed = subprocess.run(["slurmd", "-C"], capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"(\w+)=(\S+)", printed))
    here = inventory.hardware()
    assert {
        "NodeName": here.hostname,
        "CPUs": str(here.cpus),
        "Boards": str(here.boards),
        "SocketsPerBoard": str(here.sockets),
        "CoresPerSocket": str(here.cores_per_socket),
        "ThreadsPerCore": str(here.threads_per_core),
        "RealMemory": str(here.real_memory_mib),
    } == {name: value for name, value in found.items() if name != "UpTime"}


def test_every_usable_processor_belongs_to_one_core():
    cpus = [cpu for core in inventory.core_cpus() for cpu in core]
    assert sorted(cpus) == sorted(os.sched_getaffinity(0))


def test_the_shape_multiplies_up_to_the_processors():
    here = inventory.hardware()
    assert here.sockets * here.cores_per_socket * here.threads_per_core == here.cpus


def test_the_boot_lies_as_far_back_as_the_up_time_says():
    now = inventory.vitals()
    with open("/proc/stat") as stream:
        boot_time_s = next(int(line.split()[1]) for line in stream if line.startswith("btime"))
    assert abs(now.boot_time_s - boot_time_s) <= 2
    assert 0 < now.free_memory_mib <= inventory.hardware().real_memory_mib
