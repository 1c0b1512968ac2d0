"""What slurmctld and FLURM make of a slurm.conf, in a form that can be compared and read in a diff.

The files lie in tests/data/slurmconf, one shape of site each; `NAME.topology` and `NAME.gres` are companions, `NAME.d`
a folder that is included. `NAME` -> {"config", "nodes", "partitions"} is an echo: fields of the configuration record
that differ from those for the smallest file; node records with the fields that are not the record's defaults, nodes
that differ in nothing but their places folded into one; partition records likewise. record_echo.py took the echoes of
real slurmctld 22.05 and 24.11; `of_flurm` makes FLURM's, without a process.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from flurm.bridge import configure, show_config, show_nodes, show_partitions
from flurm.config import Machine, load
from flurm.config.slurmconf import read_slurm_conf
from flurm.core.apply import apply
from flurm.core.records import Cluster
from protocol.codec import decode_body, pack, unpack
from protocol.constants import MessageType, ShowFlag
from protocol.frame import decode_frame
from protocol.hostlist import fold
from protocol.messages import NodeInfo, PartitionInfo

DATA = Path(__file__).parent.parent / "data" / "slurmconf"
RELEASES = {"22.05": 0x2600, "24.11": 0x2A00}
SMALLEST = "minimal"
SHOW_ALL = int(ShowFlag.ALL)

TIMES = ("last_update", "boot_time", "hash_val", "version", "slurm_conf")
"""Fields of the configuration that are not configured."""
NODE_TIMES = ("boot_time", "last_busy", "slurmd_start_time", "reason_time")
PLACES = ("name", "node_hostname", "node_addr", "port")

Echo = dict[str, Any]


def names() -> list[str]:
    """The files that there are."""
    return sorted(path.stem for path in DATA.glob("*.conf"))


def path_of(name: str) -> Path:
    """Where a file lies."""
    return DATA / f"{name}.conf"


def host_of(name: str) -> str:
    """The host that a file says its first controller is."""
    last = read_slurm_conf(str(path_of(name))).last()
    found = read_slurm_conf(str(path_of(name))).all_of("SlurmctldHost")
    setting = found[0] if found else last["ControlMachine"]
    return setting.value.partition("(")[0]


@functools.cache
def recorded(release: str) -> dict[str, Echo]:
    """What slurmctld of a release made of each file; a file that it refused has {"refused": its words}."""
    return json.loads((DATA / f"{release}.json").read_text())


def of_flurm(name: str, release: str, folder: Path) -> Echo:
    """What FLURM makes of a file for clients of a release; folder is one for files of the test."""
    toml = folder / "flurm.toml"
    toml.write_text(f'[flurm]\nslurm_conf = "{path_of(name)}"\nmunge_socket = "/run/munge/munge.socket.2"\n')
    config = load(toml, machine=Machine(hostname=host_of(name)))
    if release != "22.05":  # which needed it to be recorded
        config = msgspec.structs.replace(config, cgroup={"CgroupPlugin": "disabled"})
    cluster = apply(Cluster(), configure.command(config, now_s=1, keep_changes=True))[0]
    version = RELEASES[release]
    built = show_config.build_info(config, version, 1, started_s=1, next_job_id=config.first_job_id)
    order = [each.name for each in config.partitions]
    nodes = show_nodes.nodes_response(cluster, version, SHOW_ALL, 1, lambda name: None)
    partitions = show_partitions.partitions_response(cluster, order, SHOW_ALL, 1)
    return echo(*(unpack(type(each), pack(each, version), version) for each in (built, nodes, partitions)))


def of_frames(frames: Iterable[bytes]) -> Echo:
    """The echo in the three answers of a controller, frames with their length."""
    bodies = []
    for each in frames:
        frame = decode_frame(each[4:])
        bodies.append(decode_body(MessageType(frame.msg_type), frame.body, frame.version))
    return echo(*bodies)


def echo(config: Any, nodes: Any, partitions: Any) -> Echo:
    """The echo of three answers, with every field of the configuration."""
    return {
        "config": {key: value for key, value in plain(config).items() if key not in TIMES},
        "nodes": folded(nodes.node_array),
        "partitions": [shortened(each, PartitionInfo()) for each in partitions.partition_array],
    }


def plain(record: Any) -> dict[str, Any]:
    """A record as JSON would have it."""
    return json.loads(msgspec.json.encode(record, enc_hook=str))


def shortened(record: Any, usual: Any) -> dict[str, Any]:
    """The fields of a record that are not the usual ones."""
    normal = plain(usual)
    return {key: value for key, value in plain(record).items() if value != normal[key]}


def folded(records: Iterable[Any]) -> list[dict[str, Any]]:
    """Node records, those one behind the other that differ only in their places made one."""

    def rest(record: Any) -> dict[str, Any]:
        short = shortened(record, NodeInfo())
        return {key: value for key, value in short.items() if key not in (*PLACES, *NODE_TIMES)}

    found = []
    for common, group in groupby((each for each in records if each is not None and each.name), rest):
        members = list(group)
        places = {key: fold([str(getattr(each, key)) for each in members]) for key in PLACES}
        found.append(places | common)
    return found


def against(one: Echo, smallest: Echo) -> Echo:
    """An echo with only those fields of the configuration that differ from the smallest file's."""
    usual = smallest["config"]
    return one | {"config": {key: value for key, value in one["config"].items() if value != usual[key]}}


def differences(name: str, release: str, ours: Echo) -> dict[str, tuple[object, object]]:
    """Where FLURM's echo differs from the recorded one: place -> ours, theirs."""
    theirs, smallest = recorded(release)[name], recorded(release)[SMALLEST]
    rows = [("config", "", ours["config"], smallest["config"] | theirs["config"])]
    for kind in ("nodes", "partitions"):
        mine, other = ({each["name"]: each for each in one[kind]} for one in (ours, theirs))
        rows += [(kind, each, mine.get(each, {}), other.get(each, {})) for each in dict.fromkeys([*mine, *other])]
    return {
        ".".join(filter(None, (kind, which, field))): (one.get(field), other.get(field))
        for kind, which, one, other in rows
        for field in dict.fromkeys([*one, *other])
        if one.get(field) != other.get(field)
        and (kind, field) not in KNOWN[release]
        and (name, kind, field) not in KNOWN_OF_FILES[release]
    }


_NEVER = {("nodes", "reason_uid"), ("nodes", "cpu_bind"), ("nodes", "core_spec_cnt"),
          ("nodes", "cpu_spec_list"), ("nodes", "mem_spec_limit"), ("partitions", "cpu_bind"),
          ("partitions", "nodesets"), ("partitions", "job_defaults_list")}  # fmt: skip
KNOWN = {
    "22.05": _NEVER | {("config", "priority_type"), ("config", "select_type"), ("config", "select_type_param"),
                       ("nodes", "select_nodeinfo")},
    "24.11": _NEVER | {("config", "mpi_conf")},
}  # fmt: skip
"""Fields that differ in any file, release -> (kind, field); docs/slurm-conf.md says why."""

_FILES = {
    ("flags", "config", "cpu_freq_def"), ("flags", "config", "cpu_freq_govs"),
    ("hardware", "nodes", "cpus_efctv"), ("hardware", "nodes", "tres_fmt_str"),
    ("hardware", "partitions", "tres_fmt_str"),
    ("gpu", "nodes", "tres_fmt_str"), ("gpu", "partitions", "tres_fmt_str"),
    ("cloud", "nodes", "node_state"), ("control-machine", "nodes", "node_state"),
    ("memory-limits", "partitions", "max_mem_per_cpu"),
}  # fmt: skip
KNOWN_OF_FILES = {
    "22.05": _FILES | {("cloud", "config", "reconfig_flags"), ("resources", "nodes", "gres")},
    "24.11": _FILES | {("scheduler", "config", "conf_flags"), ("cloud", "config", "private_data"),
                       ("odd-style", "config", "unkillable_timeout"), ("whole-nodes", "nodes", "select_nodeinfo")},
}  # fmt: skip
"""Those of certain files, release -> (file, kind, field)."""

NOT_ALIKE = {"22.05": {"states": ("nodes",)}, "24.11": {"states": ("nodes",)}}
"""Whole parts that are not compared: nodes that have not registered are UNKNOWN whatever the file says."""
REFUSED = {"24.11": {"multifactor": "24.11.5 ends on it with a fault of its own", "large": "24.11.5 did not answer"}}
"""Files of which there is no echo of a release, and why."""
