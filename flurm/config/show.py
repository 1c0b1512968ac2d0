"""What `scontrol show config` is told: every field of Slurm's configuration record, as the wire has it.

Values come from the configuration where FLURM acts on them, else from the text that a slurm.conf or [flurm.slurm]
gave, else they are Slurm's own defaults in the release that asks. Numbers are ints in the wire's units, unlimited and
unset in the values that Slurm uses for them; text is str or None. What only the running cluster knows (times, the
next job id) is handed in.
"""

import pwd
import re
from collections.abc import Callable, Mapping
from typing import Any

import flurm.config.show_cgroup as show_cgroup
import flurm.config.show_fields as f
from flurm.config.munge_key import SYSTEM_SOCKET, munge_socket_path
from flurm.config.numbers import whole_number
from flurm.config.records import Config
from flurm.config.values import flag, is_unlimited, minutes, seconds, strings

# OnDemand, Performance and UserSpace: the governors that Slurm lets a job ask for where nothing is configured.
CPU_GOVERNORS = 2256535552


def values(
    config: Config,
    version_name: str = "24.11",
    *,
    now_s: int = 0,
    boot_time_s: int = 0,
    next_job_id: int | None = None,
    release: str | None = None,
) -> dict[str, Any]:
    """Return field name -> value for every field that any release from 22.05 to 26.05 has.

    version_name: the release that asks ("22.05"); release: what SLURM_VERSION shows, version_name + ".0" by default.
    """
    shown: dict[str, Any] = (
        _raw_fields(config, version_name) | _owned(config, version_name) | _programs(config, version_name)
    )
    shown |= {
        "last_update": now_s,
        "boot_time": boot_time_s,
        "next_job_id": config.first_job_id if next_job_id is None else next_job_id,
        "version": release or f"{version_name}.0",
        "hash_val": f.NO_VAL,
    }
    return _without_none_plugins(shown, version_name)


def _without_none_plugins(shown: dict[str, Any], version_name: str) -> dict[str, Any]:
    """From 23.11 on a plugin "none" is shown as no plugin at all, also where it was configured."""
    if f.RELEASES.index(version_name) < f.RELEASES.index("23.11"):
        return shown
    plugins = [key for key, value in f.TEXT_DEFAULTS.items() if isinstance(value[1], f.Since)]
    unset = {key: None for key in plugins if re.fullmatch(r"(\w+/)?none", shown[key] or "")}
    return shown | unset


def memory_limit(per_cpu: int | None, per_node: int | None) -> int:
    """Return a memory limit as Slurm packs it: MiB, the top bit set where it is per CPU, 0 where there is none."""
    return per_cpu | f.MEM_PER_CPU if per_cpu is not None else per_node or 0


def _at(default: object, version_name: str) -> Any:
    while isinstance(default, f.Since):
        default = default.at(version_name)
    return default


def _raw_fields(config: Config, version_name: str) -> dict[str, Any]:
    """Return the fields that FLURM only passes on."""
    raw = config.slurm
    shown: dict[str, Any] = {field: raw.get(key) for field, key in f.TEXT_FIELDS.items()}
    shown |= {field: raw.get(key, _at(default, version_name)) for field, (key, default) in f.TEXT_DEFAULTS.items()}
    for field, (key, default) in f.NUMBER_FIELDS.items():
        shown[field] = _number(raw.get(key), _at(default, version_name))
    for field, (key, span_default, unit) in f.SPAN_FIELDS.items():
        shown[field] = _span(raw.get(key), span_default, unit)
    for field, (key, words, number) in f.WORD_FIELDS.items():
        shown[field] = number if key not in raw else _words(raw[key], words, number)
    shown |= _accounting(raw, shown)
    shown["priority_flags"] = _priority_flags(raw.get("PriorityFlags"))
    shown["priority_favor_small"] = int(_is_yes(raw.get("PriorityFavorSmall")))
    shown["cpu_freq_def"], shown["cpu_freq_govs"] = f.NO_VAL, CPU_GOVERNORS
    shown["srun_port_range"], shown["srun_port_range__2"] = _range(raw.get("SrunPortRange"))
    shown["node_prefix"] = None
    for field in ("acct_gather_conf", "ext_sensors_conf", "mpi_conf", "select_conf_key_pairs"):
        shown[field] = {"pairs": [] if field == "acct_gather_conf" else None}
    shown["job_defaults_list"] = _job_defaults(raw)
    if config.slurm_conf is not None and "ProctrackType" not in raw:
        shown["proctrack_type"] = "proctrack/cgroup"
    plugins = (shown["proctrack_type"], raw.get("TaskPlugin"), raw.get("JobAcctGatherType"))
    uses_cgroups = any("cgroup" in (each or "") for each in plugins)
    shown["cgroup_conf"] = {"pairs": show_cgroup.pairs(config.cgroup, version_name) if uses_cgroups else None}
    if "PropagateResourceLimitsExcept" in raw and "PropagateResourceLimits" not in raw:
        shown["propagate_rlimits"] = None
    return shown | {"node_features_conf": {"params": None}, "slurmctld_plugstack_conf": {"params": None}}


def _job_defaults(raw: Mapping[str, str]) -> list[dict[str, int]] | None:
    """What jobs get for each GPU where they do not say."""
    kinds = {"DefCpuPerGPU": 1, "DefMemPerGPU": 2}
    found = [{"type": kind, "value": int(raw[key])} for key, kind in kinds.items() if raw.get(key, "").isdigit()]
    return found or None


def _accounting(raw: Mapping[str, str], shown: Mapping[str, Any]) -> dict[str, Any]:
    """What a site counts beyond the standard resources comes behind them; slurmdbd has a port and no user."""
    usual = str(f.TEXT_DEFAULTS["accounting_storage_tres"][1])
    extra = raw.get("AccountingStorageTRES")
    found: dict[str, Any] = {"accounting_storage_tres": f"{usual},{extra}" if extra else usual}
    if (raw.get("AccountingStorageType") or "").endswith("slurmdbd"):
        port = shown["accounting_storage_port"] or 6819
        found |= {"accounting_storage_port": port, "accounting_storage_user": "N/A"}
    return found


def _owned(config: Config, version_name: str) -> dict[str, Any]:
    """Return the fields whose values FLURM acts on."""
    controllers = config.all_controllers
    names = [
        each.name or (config.controller_name if each.host == config.slurmctld_host else each.host)
        for each in controllers
    ]
    socket = munge_socket_path(config)
    own_info = f"socket={socket}" if config.auth_type == "munge" and socket != SYSTEM_SOCKET else None
    numbers = {
        "batch_start_timeout": config.batch_start_timeout, "complete_wait": config.complete_wait,
        "first_job_id": config.first_job_id, "inactive_limit": config.inactive_limit,
        "job_file_append": int(config.job_file_append), "job_requeue": int(config.job_requeue),
        "kill_on_bad_exit": int(config.kill_on_bad_exit), "kill_wait": config.kill_wait,
        "max_array_sz": config.max_array_size, "max_batch_requeue": config.max_batch_requeue,
        "max_job_cnt": config.max_job_count, "max_job_id": config.max_job_id,
        "max_node_cnt": config.max_node_count,
        "max_step_cnt": config.max_step_count, "max_tasks_per_node": config.max_tasks_per_node,
        "min_job_age": config.min_job_age, "msg_timeout": config.message_timeout, "tcp_timeout": config.tcp_timeout,
        "over_time_limit": 0xFFFF if config.over_time_limit is None else config.over_time_limit,
        "ret2service": config.return_to_service, "wait_time": config.wait_time,
        "tree_width": _tree_width(config, version_name),
        "slurmctld_port": config.slurmctld_port, "slurmctld_port_count": _port_count(config),
        "slurmd_port": config.slurmd_port, "slurmd_timeout": min(-(-config.heartbeat_timeout // 1000), 0xFFFE),
        "conf_flags": _conf_flags(config),
        "def_mem_per_cpu": memory_limit(config.def_mem_per_cpu, config.def_mem_per_node),
        "max_mem_per_cpu": memory_limit(config.max_mem_per_cpu, config.max_mem_per_node),
        "enforce_part_limits": {"NO": 0, "ALL": 1, "ANY": 2}[config.enforce_part_limits],
        "preempt_mode": _words(config.preempt_mode, f.PREEMPT_BITS, 0),
        "select_type_param": _words(config.select_type_parameters, f.SELECT_BITS, 0),
    }  # fmt: skip
    site_state, site_spool = ("/var/spool", "/var/spool/slurmd") if config.slurm_conf is not None else ("", "")
    texts = {
        "authtype": f"auth/{config.auth_type}", "cred_type": _cred_type(config),
        "authalttypes": ",".join(f"auth/{each}" for each in config.auth_alt_types) or None,
        "authinfo": config.slurm.get("AuthInfo", own_info),
        "cluster_name": config.cluster_name, "control_machine": names,
        "control_addr": [each.host for each in controllers], "licenses": config.licenses or None,
        "priority_type": config.priority_type, "sched_params": config.scheduler_parameters or None,
        "schedtype": "sched/builtin" if config.scheduler_plugin == "flurm_sched_fifo" else "sched/backfill",
        "select_type": config.select_type,
        "slurm_conf": config.slurm_conf or config.source or "/etc/slurm/slurm.conf",
        "state_save_location": config.slurm.get("StateSaveLocation", site_state or config.state_dir),
        "slurmd_spooldir": config.slurm.get("SlurmdSpoolDir", site_spool or config.slurmd.spool_dir),
    }  # fmt: skip
    if config.preempt_type is not None:
        texts["preempt_type"] = config.preempt_type
    for field, user in (("slurm_user", config.slurm_user), ("slurmd_user", config.slurmd_user)):
        texts |= {f"{field}_name": user}
        numbers |= {f"{field}_id": user_id(user)}
    return numbers | texts


def _cred_type(config: Config) -> str:
    return config.slurm.get("CredType") or ("auth/slurm" if config.has_launch_tokens else "cred/munge")


def _tree_width(config: Config, version_name: str) -> int:
    """The fan-out, whose default was larger in older releases."""
    if "TreeWidth" in config.slurm or config.tree_width != f.TREE_WIDTH.at("26.05"):
        return config.tree_width
    return int(_at(f.TREE_WIDTH, version_name))


def user_id(user: str) -> int:
    """Return the uid of a user given by name or number; NO_VAL where this host does not know it."""
    if user.isdigit():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return f.NO_VAL


def _programs(config: Config, version_name: str) -> dict[str, Any]:
    """Return prologs and epilogs: one text up to 23.11, a list from 24.05 on."""
    keys = {
        "prolog": "Prolog",
        "epilog": "Epilog",
        "prolog_slurmctld": "PrologSlurmctld",
        "epilog_slurmctld": "EpilogSlurmctld",
    }
    texts = {field: config.slurm.get(key) for field, key in keys.items()}
    if f.RELEASES.index(version_name) < f.RELEASES.index("24.05"):
        return texts
    return {field: text.split(",") if text else [] for field, text in texts.items()}


def _conf_flags(config: Config) -> int:
    raw = config.slurm
    bits = sum(bit for key, bit in f.CONF_FLAG_KEYS.items() if _is_yes(raw.get(key)))
    bits |= f.CONF_FLAG_KEYS["DisableRootJobs"] if config.disable_root_jobs else 0
    for word in strings(raw.get("AccountingStoreFlags", "")):
        bits |= f.STORE_FLAGS.get(word.lower(), 0)
    bits |= 1 if "config_overrides" in raw.get("SlurmdParameters", "") else 0
    options = {each.lower() for each in strings(raw.get("CommunicationParameters", ""))}
    bits |= 0 if "disableipv4" in options else f.IPV4
    return bits | (f.IPV6 if "enableipv6" in options else 0)


def _number(text: str | None, default: Any) -> Any:
    if text is None:
        return default
    if is_unlimited(text):
        return 0xFFFF
    try:
        return whole_number(64)(text)
    except ValueError:
        return default


def _span(text: str | None, default: int, unit: int) -> int:
    if text is None:
        return default
    if is_unlimited(text):
        return 0 if unit == 60 else f.INFINITE
    parse: Callable[[object], int | None] = minutes if unit == 60 else seconds
    try:
        found = parse(text)
    except ValueError:
        return default
    return default if found is None else found * unit


def with_debug_flags(config: Config, plus: int, minus: int) -> str:
    """Return DebugFlags with the bits of plus set and those of minus taken away, as a slurm.conf would have them."""
    key, kind, default = f.WORD_FIELDS["debug_flags"]
    bits = (_words(config.slurm.get(key, ""), kind, default) | plus) & ~minus
    singles = {number: word for word, number in kind.words.items() if number.bit_count() == 1}
    return ",".join(word for number, word in singles.items() if bits & number)


def _words(text: str, kind: f.Bits | f.Choice, default: int) -> int:
    by_lower = {word.lower(): number for word, number in kind.words.items()}
    if isinstance(kind, f.Choice):
        return int(text) if text.isdigit() else by_lower.get(text.lower(), default)
    bits = 0
    for word in strings(text):
        bits |= by_lower.get(word.lower(), 0)
    return bits


def _priority_flags(text: str | None) -> int:
    """FAIR_TREE is on unless NO_FAIR_TREE says otherwise."""
    words = {each.upper() for each in strings(text or "")}
    bits = _words(text or "", f.PRIORITY_BITS, 0)
    return bits if "NO_FAIR_TREE" in words else bits | f.PRIORITY_BITS.words["FAIR_TREE"]


def _is_yes(text: str | None) -> bool:
    try:
        return text is not None and flag(text)
    except ValueError:
        return False


def _range(text: str | None) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)-(\d+)", text or "")
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _port_count(config: Config) -> int:
    low, high = _range(config.slurm.get("SlurmctldPort"))
    return high - low + 1 if high >= low > 0 else 1
