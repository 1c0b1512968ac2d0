"""What a new configuration changes in a running controller, what only a restart brings about, and what the controllers
of one cluster must have in common."""

import hashlib
from pathlib import Path

import msgspec

import flurm.config.settings as settings
from flurm.config.records import Config
from flurm.config.slurmconf.lexer import Lexer
from flurm.config.topology import FILE as TOPOLOGY_CONF

# Bound to sockets, files or the identity of the process: these take a restart.
RESTART_KEYS = frozenset(
    """
    cluster_name controller_name slurmctld_host slurmctld_port slurmd_port raft_port join_port http_host http_port
    controllers
    state_dir log_dir spool_dir checkpoint_dir auth_type cred_type auth_alt_types jwt_key slurm_key munge_key
    munge_socket munge_ttl slurm_user slurmd_user select_type
    first_job_id raft_election_timeout raft_heartbeat_interval raft_clock_drift_bound
    raft_bootstrap raft_ca raft_certificate raft_key
    embedded_node slurmd max_connections max_request_memory
    """.split()  # noqa: SIM905
)

_SILENT = frozenset({"source", "warnings"})
_OWN_KEYS = RESTART_KEYS | _SILENT | {"slurm_conf", "log_level", "slurm", "cgroup"}
"""May differ from one controller of a cluster to the next, or count from the next restart on. Of `slurm` see below."""


class Change(msgspec.Struct, frozen=True):
    """One key whose value differs; for nodes and partitions the key carries the name, "nodes.n1"."""

    key: str
    old: object
    new: object
    needs_restart: bool


def validate_for_reconfigure(old: Config, new: Config) -> list[Change]:
    """Return what new changes against old, in the order of the keys; nothing where both say the same."""
    changes: list[Change] = []
    for key in Config.__struct_fields__:
        before, after = getattr(old, key), getattr(new, key)
        if key in _SILENT or before == after:
            continue
        if key in ("nodes", "partitions"):
            changes += _members(key, before, after)
        else:
            changes.append(Change(key, before, after, key in RESTART_KEYS))
    return changes


def in_force(old: Config, new: Config) -> Config:
    """Return what holds in a running controller once new has been read: what takes a restart stays as it was."""
    kept = {key: getattr(old, key) for key in RESTART_KEYS if getattr(old, key) != getattr(new, key)}
    if not kept:
        return new
    texts = dict(new.slurm)
    for key in settings.CLUSTER:
        if key.slurm and key.target in kept:
            texts.pop(key.slurm, None)
            texts |= {key.slurm: old.slurm[key.slurm]} if key.slurm in old.slurm else {}
    return msgspec.structs.replace(new, **kept, slurm=texts)


def shared_digest(config: Config) -> str:
    """A hash of what all controllers of a cluster must say alike; nodes and partitions, which the cluster's state has
    of its own, are not in it."""
    keys = [key for key in Config.__struct_fields__ if key not in _OWN_KEYS and key not in ("nodes", "partitions")]
    data = msgspec.json.encode({key: getattr(config, key) for key in keys}, order="deterministic")
    texts = msgspec.json.encode(config.slurm, order="deterministic")
    return hashlib.sha256(data + texts).hexdigest()


def changed_s(config: Config) -> int:
    """When the newest of the files that this configuration was read from was written, in seconds; 0 without a file."""
    paths = [each for each in (config.source, config.slurm_conf) if each is not None]
    if config.slurm_conf is not None:
        lexer = Lexer()
        for _ in lexer.lines(config.slurm_conf):
            pass
        paths += [*lexer.included, str(Path(config.slurm_conf).with_name(TOPOLOGY_CONF))]
    return max((int(Path(each).stat().st_mtime) for each in paths if Path(each).exists()), default=0)


def _members(key: str, before: tuple, after: tuple) -> list[Change]:
    old, new = ({each.name: each for each in every} for every in (before, after))
    names = dict.fromkeys([*old, *new])
    return [
        Change(f"{key}.{name}", old.get(name), new.get(name), False) for name in names if old.get(name) != new.get(name)
    ]
