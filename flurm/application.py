"""The controller as an application: what must exist before the tree, the tree itself, and the way down.

Before the tree: directories, the lock on them, the shared key, the listening socket, the MUNGE socket. They outlive
every process of the tree, so that a crash inside costs no connection and no file. After the tree: the configuration
becomes a command like any other, and the embedded node is started, a program of its own that goes on when the
controller does not.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

import flurm.bridge.configure as configure
import flurm.node.daemon as node_daemon
from actors import messages as m
from actors.backlog import Overloads
from actors.net import agent, job_submit, members
from actors.net.configurations import Configurations
from actors.net.descriptors import make_room
from actors.net.joining.door import JoinDoor, own_files
from actors.net.listener import Listener
from actors.net.members import Members
from actors.net.munge_service import MungeService
from actors.net.replays import SharedReplayCache
from actors.net.serving import Service
from actors.sched_plugin import BUILT_IN
from flurm import __version__
from flurm.bridge.requests import Control
from flurm.bridge.sackds import Sackds
from flurm.bridge.show_stats import Counters
from flurm.bridge.users import ids_of
from flurm.config import Config, ConfigError, authority_of, load, munge_key_path
from flurm.config.munge_key import read_key
from flurm.config.show import with_debug_flags
from flurm.console.fleet import Fleet
from flurm.console.log_levels import LEVELS
from flurm.core import machine
from flurm.core.effects import Done, Effect, NotifyJob, Rejected, Reply
from flurm.core.enums import Refusal
from flurm.leaving import leave
from flurm.otp import Behaviour, System
from flurm.otp.code import Loader
from flurm.otp.release import PACKAGES
from flurm.otp.upgrade import Upgrader
from flurm.peering import Peering, files_of
from flurm.reconfiguring import Reconfiguring
from flurm.storage.layout import Store
from flurm.tls.files import CertificateError
from protocol.auth import Signer

READY_TIMEOUT_S = 60.0
NODE_GRACE_S = 5.0

log = structlog.get_logger(__name__)


class Becomes(Protocol):
    """A user that the process can become."""

    uid: int
    gid: int

    def become(self) -> None:
        """Be that user from now on."""


class StartFailed(Exception):
    """The controller could not be started; the text says why and what to do."""


class Application:
    """One controller. `start`, then `wait`; `stop` from anywhere ends it.

    read_config: how the configuration is read again; the file at `config_path` where not given.
    user: whom the process becomes once it has read the keys and has its sockets; itself where not given.
    """

    def __init__(
        self,
        config: Config,
        config_path: Path | str | None = None,
        *,
        read_config: Callable[[], Config] | None = None,
        user: Becomes | None = None,
    ) -> None:
        self._config = config
        self._read_config = read_config or (lambda: load(self.config_path))
        self._user = user
        self.config_path = Path(config_path) if config_path is not None else None
        self.pid = os.getpid()
        self._stop = threading.Event()
        self._stop_reason = ""
        self.failure: str | None = None
        """Why this controller cannot go on, where something in it has said so."""
        self._node: subprocess.Popen[bytes] | None = None
        self._reconfiguring: Reconfiguring | None = None
        self._files = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.system: System | None = None
        self.store: Store | None = None
        self.munge: MungeService | None = None
        self.peering: Peering | None = None
        self.join_door: JoinDoor | None = None

    @property
    def config(self) -> Config:
        """What holds now."""
        return self._config if self.system is None else self.system.env["config"]

    def start(self) -> None:
        """Bring everything up and return when requests are served. Raises StartFailed, StorageError, ConfigError."""
        for directory in (self.config.state_dir, self.config.log_dir, self.config.spool_dir):
            try:
                Path(directory).mkdir(parents=True, exist_ok=True, mode=0o755)
            except OSError as error:
                raise StartFailed(f"cannot create {directory}: {error.strerror}; make it, or name another") from error
        try:
            self._start_tree()
        except BaseException as error:
            self.stop()
            if self.failure is not None:
                raise StartFailed(self.failure) from error
            raise

    def _start_tree(self) -> None:
        config = self.config
        if self._user is None:
            self.store = Store(Path(config.state_dir))
        reading = _reading(config)
        ids = (self._user.uid, self._user.gid) if self._user is not None else None
        authority = authority_of(config, user_ids=ids_of, replay_cache=SharedReplayCache(), ids=ids)
        join_key = _join_key(config) if config.join_port else b""
        self.listener = self._listen()
        if isinstance(authority.signer, Signer):
            self.munge = MungeService.of(config, authority.signer.key)
        if self.munge is not None:
            self.munge.start()
        if self._user is not None:
            self._user.become()
            self.store = Store(Path(config.state_dir))
        self.peering = self._peering()
        env: dict[str, Any] = {
            "config": config,
            "config_files": reading.files,
            "reading": reading,
            "store": self.store,
            "authority": authority,
            "signer": authority.signer,
            "launch_signer": authority.launch_signer,
            "listener": self.listener,
            "munge": self.munge,
            "control": self,
            "counters": Counters(since_s=int(time.time())),
            "sackds": Sackds(),
            "started_s": int(time.time()),
            "scheduler_plugins": _site_plugins(config),
        }
        self.system = System(env)
        self._reconfiguring = Reconfiguring(self.system, self._read_config, self._configure_live, _site_plugins)
        env["overloads"] = Overloads()
        self.system.observers.append(env["overloads"])
        env["upgrader"] = Upgrader(
            self.system, _loader(env["scheduler_plugins"]), __version__, accept=self._check_machine
        )
        peers = self.peering.peers if self.peering else None
        env["members"] = Members(self.system, config.member_name, peers)
        env["configurations"] = Configurations(self.system, config.member_name, peers)
        env["fleet"] = Fleet(self.system, config.member_name, peers)
        if self.peering is not None:
            self.peering.join(self.system)
        env["service"] = Service(env, self.system.terms)
        with _uncollected():
            self.system.start("supervisors.flurm_sup:SPEC", "flurm_sup")
        if self.peering is None:
            self._configure(config, keep_changes=True)
        self.listener.open()
        if self.peering is not None:
            self.peering.watch()
        if config.join_port:
            self.join_door = env["join_door"] = self._join_door(join_key)
        if config.embedded_node_name is not None:
            self._start_node()

    def _check_machine(self) -> None:
        """Code that is to run must be able to go on with the state machine as it is. Raises machine.Unsupported."""
        assert self.system is not None
        machine.check(self.system.terms["cluster"].machine_version)

    def _listen(self) -> Listener:
        config = self.config
        try:
            return Listener(
                config.slurmctld_host,
                config.slurmctld_port,
                max_message=config.max_message_size,
                max_connections=make_room(config.max_connections),
                max_memory=config.max_request_memory,
                idle_s=config.connection_timeout,
                waits=len(config.controllers) < 2,
            )
        except OSError as error:
            where = f"{config.slurmctld_host}:{config.slurmctld_port}"
            raise StartFailed(
                f"cannot listen on {where}: {error.strerror or error}; "
                "is another controller running? Set slurmctld_port to a free port, or stop the other one"
            ) from error

    def _peering(self) -> Peering | None:
        """The other controllers; None where there are none. Raises StartFailed, ConfigError."""
        files = files_of(self.config)
        try:
            return Peering(self.config, files, self.listener) if files is not None else None
        except CertificateError as error:
            raise StartFailed(str(error)) from error
        except OSError as error:
            where = self.config.members()[self.config.member_name]
            raise StartFailed(f"cannot listen for the other controllers on {where}: {error}") from error

    def _join_door(self, key: bytes) -> JoinDoor:
        """Where nodes get the cluster's key with a token. Raises StartFailed."""
        config = self.config
        try:
            return JoinDoor(config, self.system, files_of(config) or own_files(config), key)
        except (CertificateError, OSError) as error:
            where = f"{config.slurmctld_host}:{config.join_port}"
            raise StartFailed(f"cannot let nodes join on {where} (join_port): {error}") from error

    def _configure(self, config: Config, *, keep_changes: bool) -> Reply:
        assert self.system is not None
        command = configure.command(config, now_s=int(time.time()), keep_changes=keep_changes)
        reply = self.system.call("flurm_job_manager", m.Request(command), READY_TIMEOUT_S)
        if isinstance(reply, m.Unavailable):
            raise StartFailed(f"the configuration could not be stored: {reply.detail or reply.reason.value}")
        if isinstance(reply, Rejected):
            raise StartFailed(f"the configuration was refused: {reply.text or reply.code.value}")
        return reply

    def _configure_live(self, reading: configure.Reading) -> Reply:
        return self._configure(reading.config, keep_changes=False)

    def _start_node(self) -> None:
        """Start the embedded node daemon, unless one from before still serves its spool."""
        command = node_daemon.command(self.config, self.config_path)
        log_path = Path(self.config.log_dir) / "flurmd.log"
        with log_path.open("ab") as log_file:
            self._node = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True
            )
        resource.prlimit(self._node.pid, resource.RLIMIT_NOFILE, self._files)  # what it passes on to jobs is not ours
        threading.Thread(target=self._watch_node, name="flurm-node-watch", daemon=True).start()

    def _watch_node(self) -> None:
        """Start the embedded node again when it ends without being told to."""
        node = self._node
        assert node is not None
        status = node.wait()
        if not self._stop.wait(1.0) and status != 0:
            log.warning("embedded node ended, starting it again", status=status)
            self._start_node()

    def wait(self) -> str:
        """Wait until somebody stops the controller; returns who or why."""
        while not self._stop.wait(1.0):
            if self.system is not None and self.system.whereis("flurm_sup") is None:
                self._stop_reason = "the root supervisor gave up"
                return self._stop_reason
        return self._stop_reason

    def request_stop(self, reason: str) -> None:
        """Have `wait` return; the caller of `wait` then stops the controller."""
        self._stop_reason = reason
        self._stop.set()

    def fail(self, reason: str) -> None:
        """This controller cannot go on: have `wait` return, and the program end with an error."""
        self.failure = reason
        self.request_stop(reason)

    def stop(self) -> None:
        """Leave service, stop the tree in reverse order, then let go of everything. Running jobs go on."""
        self._stop.set()
        if self._node is not None and self._node.poll() is None:
            self._node.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._node.wait(NODE_GRACE_S)
        if self.system is not None:
            if self.listener.is_open and self.system.whereis("flurm_sup") is not None:
                leave(self.config, self.system.env["members"], self.listener)
            self.system.stop()
        if self.join_door is not None:
            self.join_door.close()
        if self.peering is not None:
            self.peering.close()
        if hasattr(self, "listener"):
            self.listener.close()
        if self.munge is not None:
            self.munge.close()
        if self.store is not None:
            self.store.close()

    def carry_out(self, control: Control) -> Reply:
        """Do what an administrator asks of the controller itself."""
        match control.action:
            case "reconfigure":
                return self.reconfigure()
            case "shutdown":
                threading.Thread(target=self._shut_down, args=(control,), daemon=True).start()
            case "set_log_level":
                self._set_log_level(**control.arguments)
            case "set_debug_flags":
                self._set_debug_flags(**control.arguments)
            case "show":
                self._show(**control.arguments)
            case "set_schedlog_level":
                return Rejected(Refusal.DISABLED)  # as in Slurm where SlurmSchedLogFile is not set; we write none
            case "reset_statistics":
                self._reset_statistics()
            case "takeover":
                return self._take_over()
            case "notify":
                self._carry(NotifyJob(**control.arguments))
        return Done()

    def _carry(self, effect: Effect) -> None:
        """From a thread of its own: connection handlers do not talk to the node manager."""
        system = self.system
        assert system is not None
        system.beside(lambda: system.cast("flurm_node_manager", m.Carry((effect,))))

    def _take_over(self) -> Reply:
        """`scontrol takeover`: have this controller lead."""
        assert self.system is not None
        if self.peering is None:
            return Rejected(Refusal.DISABLED)
        try:
            self.system.env["members"].take_over()
        except members.Refused as error:
            log.error("takeover failed", reason=str(error))
            return Rejected(Refusal.INTERNAL, str(error))
        return Done()

    def _shut_down(self, control: Control) -> None:
        """End the controller, and the node daemons first where that was asked for (`scontrol shutdown`)."""
        assert self.system is not None
        if control.arguments.get("nodes"):
            agent.shut_down(self.system.terms["cluster"], self.system.env)
        self.request_stop(f"shutdown by uid {control.user_id}")

    def reconfigure(self) -> Reply:
        """Read the configuration again and apply it live; on any fault nothing changes. Raises nothing."""
        assert self._reconfiguring is not None
        return self._reconfiguring.reconfigure()

    def follow(self) -> None:
        """Another controller has configured the cluster: read our own files anew. Raises nothing."""
        assert self._reconfiguring is not None
        self._reconfiguring.follow()

    def _set_log_level(self, level: str, number: int) -> None:
        """Log from `level` on, and show Slurm's number of it, until the configuration is read again."""
        assert self.system is not None
        LEVELS.set(level)
        self._show("SlurmctldDebug", str(number))
        self.system.env["log_level_set"] = True

    def _set_debug_flags(self, plus: int, minus: int) -> None:
        """Show these flags as set, until the configuration is read again; FLURM logs by module, not by flag."""
        self._show("DebugFlags", with_debug_flags(self.config, plus, minus))

    def _show(self, key: str, text: str) -> None:
        """Have `scontrol show config` say so."""
        assert self.system is not None
        shown = {**self.config.slurm, key: text}
        if not text:
            del shown[key]
        self.system.env["config"] = msgspec.structs.replace(self.config, slurm=shown)

    def _reset_statistics(self) -> None:
        assert self.system is not None
        self.system.env["counters"].reset(int(time.time()))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """What is made meanwhile, the whole state among it, is none of the cycle collector's business, now or later.

    It takes a second to look through a hundred thousand jobs, and finds nothing.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _reading(config: Config) -> configure.Reading:
    """What belongs to the configuration that the controller starts with. Raises StartFailed."""
    try:
        return configure.read_from(config)
    except OSError as error:
        raise StartFailed(f"cannot read {error.filename}: {error.strerror}") from error


def _join_key(config: Config) -> bytes:
    """What nodes that show a token are given. Raises StartFailed, ConfigError."""
    if config.auth_type != "munge":
        raise StartFailed(f"join_port: tokens give nodes the MUNGE key, and auth_type is {config.auth_type}")
    return read_key(munge_key_path(config), "munge_key")


def _loader(site_plugins: dict[str, str]) -> Loader:
    """What may be replaced while it runs: FLURM's own code, and that of a site's scheduler plugins."""
    packages = {*PACKAGES, *(where.partition(".")[0].partition(":")[0] for where in site_plugins.values())}
    return Loader(sorted(packages), lambda cls: issubclass(cls, Behaviour))


def _site_plugins(config: Config) -> dict[str, str]:
    """Scheduler plugins of other packages, by name (entry point group `flurm.schedulers`); job submit plugins have to
    load too. Raises StartFailed."""
    try:
        job_submit.check(config)
    except ConfigError as error:
        raise StartFailed(str(error)) from error
    found = {point.name: point.value for point in entry_points(group="flurm.schedulers")}
    known = [*BUILT_IN, *found]
    if config.scheduler_plugin not in known:
        nearest = difflib.get_close_matches(config.scheduler_plugin, known, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise StartFailed(f"scheduler_plugin = {config.scheduler_plugin}: known are {', '.join(known)}{hint}")
    return found
