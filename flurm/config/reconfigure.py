"""What a new configuration changes in a running controller, and what only a restart brings about."""

import msgspec

from flurm.config.records import Config

# Bound to sockets, files or the identity of the process: these take a restart.
RESTART_KEYS = frozenset(
    """
    cluster_name controller_name slurmctld_host slurmctld_port slurmd_port raft_port http_host http_port controllers
    state_dir log_dir spool_dir checkpoint_dir auth_type cred_type auth_alt_types jwt_key slurm_key munge_key
    munge_socket munge_ttl slurm_user slurmd_user select_type
    first_job_id raft_election_timeout raft_heartbeat_interval raft_ca raft_certificate raft_key
    embedded_node slurmd max_connections max_request_memory
    """.split()  # noqa: SIM905
)

_SILENT = frozenset({"source", "warnings"})


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


def _members(key: str, before: tuple, after: tuple) -> list[Change]:
    old, new = ({each.name: each for each in every} for every in (before, after))
    names = dict.fromkeys([*old, *new])
    return [
        Change(f"{key}.{name}", old.get(name), new.get(name), False) for name in names if old.get(name) != new.get(name)
    ]
