"""Job submit plugins: Lua, Python and the small ones; what they read, change, refuse and say, and what bounds them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from actors.net.job_submit import Chain, check
from flurm.bridge.context import Context
from flurm.config import Config, ConfigError
from flurm.core.job_records import Job, JobSpec
from flurm.core.node_records import Partition
from flurm.core.records import Cluster
from protocol.errno import Errno
from protocol.messages import JobDescription

LUA_MODIFY = "\nfunction slurm_job_modify(job_desc, job_rec, part_list, uid) return slurm.SUCCESS end\n"


class Site:
    """A directory with a slurm.conf, its plugins, and a chain of them."""

    def __init__(self, folder: Path, *plugins: str, limit_s: float = 5.0) -> None:
        self.folder, self.chain = folder, Chain(limit_s)
        self.config = Config(slurm_conf=str(folder / "slurm.conf"), job_submit_plugins=plugins, cluster_name="testc")
        partitions = {name: Partition(name=name, is_default=name == "debug") for name in ("debug", "long")}
        self.cluster = Cluster(partitions=Cluster().partitions.update(partitions))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        os.utime(path, ns=(time.time_ns(), time.monotonic_ns()))

    def lua(self, body: str) -> None:
        self.write("job_submit.lua", f"function slurm_job_submit(job_desc, part_list, uid)\n{body}\nend{LUA_MODIFY}")

    def look(self, job: Job | None = None, **fields: object):
        self.record = JobDescription(**fields)
        context = Context(
            cluster=self.cluster, version=0x2600, uid=1001, gid=1001, now_s=1_800_000_000, config=self.config
        )
        return self.chain.look(self.record, job, context)


def test_a_lua_script_reads_and_changes_a_job(tmp_path):
    site = Site(tmp_path, "lua")
    site.lua("""
        slurm.log_user("%s %d %s %s", job_desc.name, uid, tostring(part_list.long.name), job_desc.environment.X)
        job_desc.partition = "long"
        job_desc.min_mem_per_cpu = 50
        job_desc.environment.Y = "new"
        return slurm.SUCCESS""")
    verdict = site.look(name="a", environment=["X=1"])
    assert (verdict.code, verdict.message) == (0, "a 1001 long 1")
    assert (site.record.partition, site.record.pn_min_memory) == ("long", 1 << 63 | 50)
    assert site.record.environment == ["X=1", "Y=new"]


@pytest.mark.parametrize("body,code", [
    ("return slurm.ERROR", -1), ("return slurm.ESLURM_ACCESS_DENIED", 2002), ("return 7", 7),
    ("local x = nil; x.y = 1", 0), ("return 'x'", 0), ("return nil", 0), ("job_desc.nosuch = 5; return 0", 0),
])  # fmt: skip
def test_results_of_a_lua_script_are_what_slurmctld_makes_of_them(tmp_path, body, code):
    site = Site(tmp_path, "lua")
    site.lua(body)
    assert site.look(name="a").code == code


def test_a_lua_script_that_was_changed_is_read_again_and_a_broken_one_is_not(tmp_path):
    site = Site(tmp_path, "lua")
    site.lua("return 7")
    assert site.look().code == 7
    site.lua("return 8")
    assert site.look().code == 8
    site.write("job_submit.lua", "function slurm_job_submit(\n")
    assert site.look().code == 8
    site.write("job_submit.lua", "function slurm_job_submit(a, b, c) return 9 end")
    assert site.look().code == 8


def test_what_a_lua_script_says_of_a_change_is_discarded_and_its_number_counts(tmp_path):
    site = Site(tmp_path, "lua")
    site.write(
        "job_submit.lua",
        """
        function slurm_job_submit(job_desc, part_list, uid) return 0 end
        function slurm_job_modify(job_desc, job_rec, part_list, uid)
            slurm.log_user("x")
            if job_rec.name == "mine" then return slurm.ESLURM_ACCESS_DENIED end
            return 0
        end""",
    )
    job = Job(id=5, spec=JobSpec(user_id=1001, group_id=1001, name="mine"), partition="debug")
    verdict = site.look(job, comment="c")
    assert (verdict.code, verdict.message) == (2002, None)


@pytest.mark.parametrize("name,text", [
    ("job_submit.lua", "while true do end"), ("job_submit.py", "    while True: pass"),
])  # fmt: skip
def test_a_script_that_runs_on_is_stopped_and_its_job_refused(tmp_path, name, text):
    site = Site(tmp_path, name.replace("job_submit.py", "python").replace("job_submit.lua", "lua"), limit_s=0.2)
    if name.endswith("lua"):
        site.lua(text)
    else:
        site.write(name, f"def job_submit(job, partitions, uid):\n    if job.name == 'ok': return\n{text}\n")
    verdict = site.look(name="a")
    assert verdict.code == -1 and "took too long" in verdict.message
    if name.endswith("py"):
        assert site.look(name="ok").code == 0


def test_a_python_hook_reads_changes_and_refuses(tmp_path):
    site = Site(tmp_path, "python")
    site.write(
        "job_submit.py",
        """
def job_submit(job, partitions, uid):
    if job.account == "closed":
        raise Refused(slurm.ESLURM_INVALID_ACCOUNT, "this account is closed")
    job.comment = f"{job.name} of {uid} in {len(partitions)}"
    slurm.log_user("hello")
def job_modify(job, record, partitions, uid):
    if record["name"] == "mine":
        raise Refused("not this one")
""",
    )
    assert site.look(name="a").message == "hello"
    assert site.record.comment == "a of 1001 in 2"
    refused = site.look(account="closed")
    assert (refused.code, refused.message) == (int(Errno.ESLURM_INVALID_ACCOUNT), "this account is closed")
    job = Job(id=5, spec=JobSpec(user_id=1001, group_id=1001, name="mine"), partition="debug")
    assert site.look(job).code == -1


def test_a_python_hook_that_fails_refuses(tmp_path):
    site = Site(tmp_path, "python")
    site.write("job_submit.py", "def job_submit(job, partitions, uid):\n    1 / 0\n")
    assert site.look().code == -1


def test_the_small_plugins(tmp_path):
    site = Site(tmp_path, "all_partitions", "logging", "require_timelimit")
    assert site.look().code == int(Errno.ESLURM_MISSING_TIME_LIMIT)
    assert site.look(time_limit=5).code == 0
    assert sorted(site.record.partition.split(",")) == ["debug", "long"]


@pytest.mark.parametrize("plugin,text", [("lua", "function ("), ("lua", "x = 1"), ("python", "x = 1"), ("lua", None)])
def test_a_script_that_cannot_be_loaded_keeps_the_controller_from_starting(tmp_path, plugin, text):
    site = Site(tmp_path, plugin)
    if text is not None:
        site.write("job_submit.lua" if plugin == "lua" else "job_submit.py", text)
    with pytest.raises(ConfigError, match="JobSubmitPlugins"):
        check(site.config)


def test_a_hook_that_waits_outside_python_is_left_behind_and_the_next_request_is_looked_at(tmp_path):
    site = Site(tmp_path, "python", limit_s=0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    site.write("job_submit.py", f"def job_submit(job, partitions, uid):\n    if job.name == 'a': open({str(pipe)!r})\n")
    assert "took too long" in site.look(name="a").message
    assert site.look(name="b").code == 0
    os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
