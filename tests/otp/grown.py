"""Generations of code for the model test: a package of workers and specifications, and releases of it.

    w0 w1 w2    a worker class each; the state has another shape in every version, and knows those it went through
    t0 t1       the specifications of the supervisors with even and with odd numbers

What a worker does apart from its version is in `Actor`, which is never replaced; what shall happen to it is in the
environment of its system, under the keys of `stage()`.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from flurm.otp import Behaviour, GenServer, Ignore, NoReply, Ok, Reply, Stop, StopInit
from flurm.otp.code import Loader
from flurm.otp.release import make
from flurm.otp.upgrade import Upgrader
from tests.otp.model import PERIOD_S, Code, Spec, module_of

PACKAGE = "grown"
BROKEN = "raise ValueError('this is no code')\n"
WORKER = """
import msgspec
from flurm.otp.upgrade import Down
from tests.otp.grown import Actor

class State(msgspec.Struct):
    path_{vsn}: tuple

class Worker(Actor):
    vsn = {vsn}

    def begin(self):
        return State(({vsn},))

    def path(self, state):
        return state.path_{vsn}

    def code_change(self, old_vsn, state, extra):
        self.interlude()
        if isinstance(old_vsn, Down):
            return State((*self.path(state), old_vsn.vsn))
        return State((*getattr(state, f"path_{{old_vsn}}"), {vsn}))
"""


def stage() -> dict[str, Any]:
    """The environment: which workers' inits fail (how often), take long or ignore, and what happens in a code_change.

    `inits` and `ends` are written by the workers.
    """
    return {"fails": {}, "slow": {}, "ignores": set(), "interludes": {}, "inits": [], "ends": []}


class Actor(GenServer):
    """Does as the environment says."""

    def init(self, args: dict[str, Any]) -> Any:
        env, name = self.system.env, self.name
        env["inits"].append(name)
        if name in env["slow"]:
            self.system.sleep(env["slow"][name])
        if env["fails"].get(name, 0) > 0:
            env["fails"][name] -= 1
            return StopInit("failed", silent=True)
        return Ignore() if name in env["ignores"] else Ok(self.begin())

    def interlude(self) -> None:
        """What happens in the midst of a code_change, once."""
        self.system.env["interludes"].pop(self.name, lambda: None)()

    def handle_call(self, request: Any, sender: Any, state: Any) -> Any:
        return Reply(self.path(state), state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, float):
            self.system.sleep(message)
            return NoReply(state)
        return Stop(message, state)

    def terminate(self, reason: Any, state: Any) -> None:
        self.system.env["ends"].append(self.name)


def start_of(spec: Spec) -> str:
    """What a child specification names as its code."""
    return f"{PACKAGE}.{module_of(spec)}:{'Worker' if spec.code is not None else spec.name.upper()}"


def sources_of(code: Code) -> dict[str, str]:
    """Of each module its text."""
    sources = {f"w{number}": WORKER.format(vsn=vsn) for number, vsn in enumerate(code.versions)}
    lines = defaultdict(
        list, t0=["from flurm.otp import Child, Supervisor"], t1=["from flurm.otp import Child, Supervisor"]
    )
    for name, flags in code.flags.items():
        children = "".join(
            f"Child({each.name!r}, {start_of(each)!r}, restart={each.restart!r}, significant={each.significant}), "
            for each in flags.children
        )
        given = f"{flags.strategy!r}, {flags.intensity}, {PERIOD_S}, ({children}), {flags.auto_shutdown!r}"
        lines[module_of(Spec(name))].append(f"{name.upper()} = Supervisor({given})")
    return {**sources, **{module: "\n".join(text) + "\n" for module, text in lines.items()}}


class Grown:
    """The package as it is installed, and its releases."""

    def __init__(self, code: Code) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="flurm-model-"))
        installed = self._write("installed", sources_of(code))
        sys.path.insert(0, str(installed))
        importlib.invalidate_caches()

    def upgrader(self, system: Any) -> Upgrader:
        """What upgrades a system that runs the package."""
        loader = Loader((PACKAGE,), lambda cls: issubclass(cls, Behaviour))
        return Upgrader(system, loader, "0", system.now_s)

    def release(self, version: str, code: Code, broken: str | None = None) -> Path:
        """A release; the text of the `broken` module cannot be executed."""
        sources = sources_of(code)
        if broken is not None:
            sources[broken] += BROKEN
        where = self._write(version, sources)
        make(where, PACKAGE, version, (PACKAGE,))
        return where

    def close(self) -> None:
        """As if there had never been such a package."""
        sys.path.remove(str(self._directory / "installed"))
        shutil.rmtree(self._directory)
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]

    def _write(self, version: str, sources: dict[str, str]) -> Path:
        package = self._directory / version / PACKAGE
        package.mkdir(parents=True)
        for name, source in {"__init__": "", **sources}.items():
            (package / f"{name}.py").write_text(source)
        return package.parent
