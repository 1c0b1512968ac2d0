"""What a request may look at: the cluster of that moment, who asks, in which release, and the services around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flurm.bridge import show_nodes, show_stats, users
from flurm.bridge.kept import KeptForms
from flurm.bridge.sackds import Sackds
from flurm.bridge.show_steps import Names
from flurm.config.configless import ConfigFiles
from flurm.config.records import Config
from flurm.core.records import Cluster


class HostNames:
    """Names of users and groups as this machine knows them."""

    def user(self, uid: int) -> str | None:
        """The login name of a uid."""
        return users.user_name(uid)

    def group(self, gid: int) -> str | None:
        """The name of a gid."""
        return users.group_name(gid)


def _no_load(name: str) -> show_nodes.Load | None:
    return None


def _no_blob(digest: str) -> bytes:
    raise KeyError(digest)


def _no_store(contents: list[bytes]) -> tuple[list[str], dict[str, bytes]]:
    raise KeyError("nowhere to store")


@dataclass(frozen=True)
class Context:
    """Everything that answering a request may look at."""

    cluster: Cluster
    version: int
    uid: int
    gid: int
    now_s: int
    config: Config = field(default_factory=Config)
    names: Names = field(default_factory=HostNames)
    loads: show_nodes.Loads = _no_load
    read_blob: Callable[[str], bytes] = _no_blob
    introduce_blobs: Callable[[list[bytes]], tuple[list[str], dict[str, bytes]]] = _no_store
    """Digests of these contents, and those contents by digest that are not stored yet."""
    peer: tuple[str, int] = ("", 0)
    counters: show_stats.Counters = field(default_factory=show_stats.Counters)
    kept: KeptForms = field(default_factory=KeptForms)
    started_s: int = 0
    """When this controller took charge."""
    controller_index: int = 0
    sackds: Sackds = field(default_factory=Sackds)
    config_files: ConfigFiles | None = None
    """What is served to those without a slurm.conf; None where the site does not want that."""
