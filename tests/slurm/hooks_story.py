"""One job_submit.lua, given to real slurmctld and to FLURM: what sbatch and scontrol print of it.

`python -m tests.slurm.hooks_story` writes down in tests/data/hooks what Debian's slurmctld 22.05 made of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.slurm.rights_story import await_up
from tests.slurm.sandbox import CLUSTER_DIR, Sandbox
from tests.slurm.slurm_conf import slurm_conf

RECORDED = Path(__file__).parents[1] / "data/hooks/lua.json"
CONF = slurm_conf() + "JobSubmitPlugins=lua\n"
SCRIPT = "/etc/slurm/job_submit.lua"
LUA = """
function slurm_job_submit(job_desc, part_list, submit_uid)
    local names = {}
    for name, part in pairs(part_list) do
        names[#names + 1] = name .. ":" .. tostring(part.max_time) .. ":" .. tostring(part.flag_default)
    end
    table.sort(names)
    slurm.log_user("%s uid %u", table.concat(names, " "), submit_uid)
    for _, name in ipairs({"name", "partition", "time_limit", "min_nodes", "pn_min_memory", "account", "priority",
            "user_id", "user_name", "nice", "cpus_per_task", "num_tasks", "shared", "requeue", "begin_time",
            "min_mem_per_cpu", "min_mem_per_node", "std_out", "work_dir", "contiguous", "features", "no_such_field"}) do
        slurm.log_user("%s=%s", name, tostring(job_desc[name]))
    end
    slurm.log_user("%s %s", job_desc.script:sub(1, 9), tostring(job_desc.environment.MARK))
    local results = {refuse = slurm.ERROR, access = slurm.ESLURM_ACCESS_DENIED, seven = 7, text = "x",
        limit = slurm.ESLURM_INVALID_TIME_LIMIT}
    if job_desc.name == "boom" then local none = nil; none.field = 1 end
    if job_desc.name == "wrong" then job_desc.no_such_field = 5 end
    if job_desc.name == "change" then
        job_desc.partition = "long"; job_desc.time_limit = 7; job_desc.comment = "from lua"; job_desc.name = "changed"
    end
    return results[job_desc.name] or slurm.SUCCESS
end
function slurm_job_modify(job_desc, job_rec, part_list, modify_uid)
    slurm.log_user("nobody reads this")
    if job_desc.comment == "no" and job_rec.name == "changed" then return slurm.ESLURM_ACCESS_DENIED end
    if job_desc.comment == "err" then return slurm.ERROR end
    if job_desc.comment == "old" then job_desc.comment = "new" end
    return slurm.SUCCESS
end
return slurm.SUCCESS
"""
_SUBMITS = tuple(
    f"sbatch -H --parsable -J {words} --wrap true"
    for words in (
        "plain", "refuse", "access", "limit", "boom", "text", "seven", "wrong", "change",
        "full -p long -t 5 -N1 --mem-per-cpu=50 -n2 -c1 -A acct --nice=5 -C fast", "memory --mem=50",
        "refuse --test-only",
    )
)  # fmt: skip
_CHANGES = tuple(f"scontrol update job 70004 comment={word}" for word in ("no", "err", "old"))
_SEEN = "squeue -h -j 70004 -o '%j %P %l %k'"
STEPS = (*_SUBMITS, _SEEN, *_CHANGES, _SEEN, "scontrol release 70004")


def tell(sandbox: Sandbox) -> list[list[str]]:
    """Each command of alice, and what came of it; last of all with scripts in the place that cannot be used."""
    said = []
    for command in STEPS:
        seen = sandbox.run(command, "alice", env={"MARK": "7"})
        text = re.sub(r"start at \S+ using", "start at TIME using", f"{seen.stdout}|{seen.stderr}")
        said.append([command, f"{seen.exit}: {text}"])
    for broken in ("function slurm_job_submit(\n", "function slurm_job_submit(a, b, c) return 7 end\n"):
        sandbox.write(SCRIPT, broken)
        sandbox.run(f"touch -d 'now + {len(said)} seconds' {SCRIPT}")
        seen = sandbox.run("sbatch -J refuse --wrap true", "alice")
        said.append([broken, f"{seen.exit}: {seen.stderr.splitlines()[-1]}"])
    return said


def _record() -> None:
    with Sandbox() as sandbox:
        sandbox.write("/etc/slurm/slurm.conf", CONF)
        sandbox.write(SCRIPT, LUA)
        sandbox.run(f"mkdir -p {CLUSTER_DIR}/state")
        sandbox.spawn(["slurmctld", "-D"], f"{CLUSTER_DIR}/ctld.out.log")
        await_up(sandbox)
        said = tell(sandbox)
    RECORDED.parent.mkdir(exist_ok=True)
    RECORDED.write_text(json.dumps(said, indent=0) + "\n")


if __name__ == "__main__":
    _record()
