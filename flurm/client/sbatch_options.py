"""sbatch's options, and where else they can come from: #SBATCH lines of the script and SBATCH_* variables.

The command line counts most, then the environment, then the script.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from flurm.client.options import Given, flag, maybe, parse, takes

__all__ = ["OPTIONS", "from_environment", "from_script"]

OPTIONS = (
    takes("account", "A"),
    takes("acctg_freq", ""),
    takes("admin_comment", ""),
    takes("array", "a"),
    takes("batch", ""),
    takes("bb", ""),
    takes("bbf", ""),
    takes("begin", "b"),
    takes("chdir", "D", "chdir", "workdir"),
    takes("cluster_constraint", ""),
    takes("clusters", "M", "clusters"),
    takes("comment", ""),
    takes("constraint", "C"),
    takes("container", ""),
    flag("contiguous", ""),
    takes("core_spec", "S"),
    takes("cores_per_socket", ""),
    takes("cpu_freq", ""),
    takes("cpus_per_gpu", ""),
    takes("cpus_per_task", "c"),
    takes("deadline", ""),
    takes("delay_boot", ""),
    takes("dependency", "d"),
    takes("distribution", "m"),
    takes("error", "e"),
    takes("exclude", "x"),
    maybe("exclusive", ""),
    maybe("export", ""),
    takes("export_file", ""),
    takes("extra", ""),
    takes("extra_node_info", "B"),
    maybe("get_user_env", ""),
    takes("gid", ""),
    takes("gpu_bind", ""),
    takes("gpu_freq", ""),
    takes("gpus", "G"),
    takes("gpus_per_node", ""),
    takes("gpus_per_socket", ""),
    takes("gpus_per_task", ""),
    takes("gres", ""),
    takes("gres_flags", ""),
    flag("help", "h"),
    takes("hint", ""),
    flag("hold", "H"),
    flag("ignore_pbs", ""),
    takes("input", "i"),
    takes("job_name", "J"),
    maybe("kill_on_invalid_dep", "", "kill-on-invalid-dep"),
    takes("licenses", "L"),
    takes("mail_type", ""),
    takes("mail_user", ""),
    takes("mcs_label", ""),
    takes("mem", ""),
    takes("mem_bind", ""),
    takes("mem_per_cpu", ""),
    takes("mem_per_gpu", ""),
    takes("mincpus", ""),
    takes("network", ""),
    maybe("nice", ""),
    maybe("no_kill", "k"),
    flag("no_requeue", ""),
    takes("nodefile", "F"),
    takes("nodelist", "w"),
    takes("nodes", "N"),
    takes("ntasks", "n"),
    takes("ntasks_per_core", ""),
    takes("ntasks_per_gpu", ""),
    takes("ntasks_per_node", ""),
    takes("ntasks_per_socket", ""),
    takes("open_mode", ""),
    takes("output", "o"),
    flag("overcommit", "O"),
    flag("oversubscribe", "s", "oversubscribe", "share"),
    flag("parsable", ""),
    takes("partition", "p"),
    takes("power", ""),
    takes("prefer", ""),
    takes("priority", ""),
    takes("profile", ""),
    maybe("propagate", ""),
    takes("qos", "q"),
    flag("quiet", "Q"),
    flag("reboot", ""),
    flag("requeue", ""),
    takes("reservation", ""),
    takes("signal", ""),
    takes("sockets_per_node", ""),
    flag("spread_job", ""),
    takes("switches", ""),
    flag("test_only", ""),
    takes("thread_spec", ""),
    takes("threads_per_core", ""),
    takes("time", "t"),
    takes("time_min", ""),
    takes("tmp", ""),
    takes("tres_per_task", ""),
    takes("uid", ""),
    flag("usage", ""),
    flag("use_min_nodes", ""),
    flag("verbose", "v"),
    flag("version", "V"),
    flag("wait", "W"),
    takes("wait_all_nodes", ""),
    takes("wckey", ""),
    takes("wrap", ""),
)
_VARIABLES = {
    "SBATCH_ACCOUNT": "account",
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_CLUSTERS": "clusters",
    "SBATCH_CONSTRAINT": "constraint",
    "SBATCH_CORE_SPEC": "core_spec",
    "SBATCH_DELAY_BOOT": "delay_boot",
    "SBATCH_DISTRIBUTION": "distribution",
    "SBATCH_EXPORT": "export",
    "SBATCH_GET_USER_ENV": "get_user_env",
    "SBATCH_GPUS": "gpus",
    "SBATCH_GPUS_PER_NODE": "gpus_per_node",
    "SBATCH_GPUS_PER_TASK": "gpus_per_task",
    "SBATCH_GRES": "gres",
    "SBATCH_HINT": "hint",
    "SBATCH_JOB_NAME": "job_name",
    "SBATCH_MEM_PER_CPU": "mem_per_cpu",
    "SBATCH_MEM_PER_NODE": "mem",
    "SBATCH_OPEN_MODE": "open_mode",
    "SBATCH_OVERCOMMIT": "overcommit",
    "SBATCH_PARTITION": "partition",
    "SBATCH_PROFILE": "profile",
    "SBATCH_QOS": "qos",
    "SBATCH_RESERVATION": "reservation",
    "SBATCH_SIGNAL": "signal",
    "SBATCH_THREAD_SPEC": "thread_spec",
    "SBATCH_THREADS_PER_CORE": "threads_per_core",
    "SBATCH_TIMELIMIT": "time",
    "SBATCH_WCKEY": "wckey",
}
_FLAG_VARIABLES = {
    "SBATCH_EXCLUSIVE": "exclusive",
    "SBATCH_NO_REQUEUE": "no_requeue",
    "SBATCH_REQUEUE": "requeue",
    "SBATCH_SPREAD_JOB": "spread_job",
    "SBATCH_USE_MIN_NODES": "use_min_nodes",
    "SBATCH_WAIT": "wait",
}
_DIRECTIVE = re.compile(r"#SBATCH\s+(.*)")


def from_environment(environment: Mapping[str, str]) -> Given:
    """The options that SBATCH_* variables stand for."""
    given: Given = [(dest, environment[name]) for name, dest in _VARIABLES.items() if environment.get(name)]
    return given + [(dest, environment[name] or None) for name, dest in _FLAG_VARIABLES.items() if name in environment]


def from_script(script: str) -> Given:
    """The options in the #SBATCH lines above the script's first command. Raises UsageError."""
    words: list[str] = []
    for line in script.splitlines():
        if match := _DIRECTIVE.match(line):
            words += _words(match[1])
        elif line.strip() and not line.startswith("#"):
            break
    return parse("sbatch", OPTIONS, words)[0]


def _words(text: str) -> list[str]:
    """The words of a directive by the shell's quotes; a comment ends it."""
    reader = shlex.shlex(text, posix=True, punctuation_chars=False)
    reader.whitespace_split = True
    reader.commenters = "#"
    try:
        return list(reader)
    except ValueError:
        return text.split()
