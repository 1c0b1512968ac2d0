"""The OTP runtime beside bare pykka, in one run, as ratios. Run: python -m bench.otp [--quick] [--json]

tell        messages to one actor per second: sent (of the sender's CPU time), and sent and handled
ask         questions to one actor, one after the other, per second
life        starts and stops of an actor, per second
ring        a hundred actors pass a token on, hops per second
beside      the 99th percentile of an ask, in ms, while another actor computes and never waits
children    ms of CPU for each of many temporary children of a simple_one_for_one to start, and to stop, when they are
            1,000 and when they are 10,000; of wall clock in brackets

Each figure is the median of some repetitions, in turns of both sides. The switch interval of the interpreter is what
each side sets: pykka leaves it at 5 ms, FLURM's runtime lowers it.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import logging
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pykka
import structlog

from flurm.otp import SIMPLE_ONE_FOR_ONE, TEMPORARY, Child, GenServer, NoReply, Ok, Reply, Supervisor, System

LOCK = type(threading.Lock())
RING = 100
DEFAULT_SWITCH_S = 0.005


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    repeats: int = 5
    tells: int = 100_000
    asks: int = 5_000
    lives: int = 500
    hops: int = 10_000
    beside_asks: int = 100
    children: tuple[int, int] = (1_000, 10_000)


FULL = Sizes()
QUICK = Sizes(repeats=1, tells=2_000, asks=200, lives=20, hops=500, beside_asks=10, children=(20, 100))


@dataclass(frozen=True)
class Figure:
    """One quantity of both sides. `better` is flurm's advantage: above 1 flurm is ahead."""

    what: str
    unit: str
    pykka: float
    flurm: float
    better: float


class PykkaActor(pykka.ThreadingActor):
    """Bare pykka: counts, answers, passes on, computes."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.next: Any = None

    def on_receive(self, message: Any) -> Any:
        if type(message) is threading.Event:
            message.set()
            return None
        if type(message) is tuple:
            hops, done = message
            if hops == 0:
                done.set()
            else:
                self.next.tell((hops - 1, done))
            return None
        if type(message) is list:
            self.next = message[0]
            return None
        if type(message) is LOCK:
            message.acquire()
            return None
        return message


class PykkaBusy(pykka.ThreadingActor):
    """Computes until the flag goes down."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        compute(message)


class Server(GenServer):
    """The same on FLURM's runtime."""

    def init(self, args: dict[str, Any]) -> Ok:
        return Ok(None)

    def handle_call(self, request: Any, sender: Any, state: Any) -> Reply:
        return Reply(request, state)

    def handle_cast(self, message: Any, state: Any) -> NoReply:
        if type(message) is threading.Event:
            message.set()
        elif type(message) is tuple:
            hops, done = message
            if hops == 0:
                done.set()
            else:
                self.cast(state, (hops - 1, done))
        elif type(message) is list:
            return NoReply(message[0])
        elif type(message) is LOCK:
            message.acquire()
        return NoReply(state)


class Busy(GenServer):
    """Computes until the flag goes down."""

    def handle_cast(self, message: Any, state: Any) -> NoReply:
        compute(message)
        return NoReply(state)


def compute(flag: list[bool]) -> None:
    """Keep the interpreter."""
    number = 0
    while flag[0]:
        number += 1


class PykkaSide:
    """Bare pykka."""

    name = "pykka"

    def enter(self) -> None:
        sys.setswitchinterval(DEFAULT_SWITCH_S)

    def start(self) -> Any:
        return PykkaActor.start()

    def tell(self, target: Any) -> Callable[[Any], None]:
        return target.tell

    def ask(self, target: Any, message: Any) -> Any:
        return target.ask(message)

    def stop(self, target: Any) -> None:
        target.stop()

    def ring(self) -> Any:
        refs = [PykkaActor.start() for _ in range(RING)]
        for number, ref in enumerate(refs):
            ref.tell([refs[(number + 1) % RING]])
        return refs[0]

    def busy(self, flag: list[bool]) -> Any:
        ref = PykkaBusy.start()
        ref.tell(flag)
        return ref

    def leave(self) -> None:
        pykka.ActorRegistry.stop_all()


class FlurmSide:
    """FLURM's runtime."""

    name = "flurm"

    def enter(self) -> None:
        self.system = System()

    def start(self) -> Any:
        return self.system.spawn(Server)

    def tell(self, target: Any) -> Callable[[Any], None]:
        return functools.partial(self.system.cast, target)

    def ask(self, target: Any, message: Any) -> Any:
        return self.system.call(target, message)

    def stop(self, target: Any) -> None:
        self.system.stop_process(target)

    def ring(self) -> Any:
        pids = [self.start() for _ in range(RING)]
        for number, pid in enumerate(pids):
            self.system.cast(pid, [pids[(number + 1) % RING]])
            self.system.call(pid, None)
        return pids[0]

    def busy(self, flag: list[bool]) -> Any:
        pid = self.system.spawn(Busy)
        self.system.cast(pid, flag)
        return pid

    def leave(self) -> None:
        self.system.stop()


Side = PykkaSide | FlurmSide


def sent(side: Side, sizes: Sizes) -> float:
    """Messages sent per second of the sender's CPU while their receiver is held up: what a message costs its sender."""
    target = side.start()
    tell = side.tell(target)
    message, gate = 1, threading.Lock()
    gate.acquire()
    tell(gate)
    begun_s = time.thread_time()
    for _ in range(sizes.tells):
        tell(message)
    took_s = time.thread_time() - begun_s
    gate.release()
    done = threading.Event()
    tell(done)
    done.wait()
    return sizes.tells / took_s


def told(side: Side, sizes: Sizes) -> float:
    """Messages sent and handled per second."""
    target = side.start()
    tell = side.tell(target)
    done = threading.Event()
    begun_s = time.perf_counter()
    for _ in range(sizes.tells):
        tell(1)
    tell(done)
    done.wait()
    return sizes.tells / (time.perf_counter() - begun_s)


def asked(side: Side, sizes: Sizes) -> float:
    """Questions answered per second."""
    target = side.start()
    begun_s = time.perf_counter()
    for number in range(sizes.asks):
        side.ask(target, number)
    return sizes.asks / (time.perf_counter() - begun_s)


def lives(side: Side, sizes: Sizes) -> float:
    """Actors started and stopped per second."""
    begun_s = time.perf_counter()
    for _ in range(sizes.lives):
        side.stop(side.start())
    return sizes.lives / (time.perf_counter() - begun_s)


def ring(side: Side, sizes: Sizes) -> float:
    """Hops per second."""
    first, done = side.ring(), threading.Event()
    begun_s = time.perf_counter()
    side.tell(first)((sizes.hops, done))
    done.wait()
    return sizes.hops / (time.perf_counter() - begun_s)


def beside(side: Side, sizes: Sizes) -> float:
    """The 99th percentile of an ask in ms, beside an actor that computes."""
    flag, took_ms = [True], []
    side.busy(flag)
    target = side.start()
    try:
        for number in range(sizes.beside_asks):
            begun_s = time.perf_counter()
            side.ask(target, number)
            took_ms.append((time.perf_counter() - begun_s) * 1e3)
    finally:
        flag[0] = False
    return sorted(took_ms)[min(len(took_ms) * 99 // 100, len(took_ms) - 1)]


MEASURES: dict[str, tuple[str, Callable[[Side, Sizes], float], bool]] = {
    "tell, sent": ("/s", sent, True),
    "tell, handled": ("/s", told, True),
    "ask": ("/s", asked, True),
    "start and stop": ("/s", lives, True),
    "ring of 100": ("hops/s", ring, True),
    "p99 of an ask beside a busy actor": ("ms", beside, False),
}


def children(count: int) -> dict[str, float]:
    """ms per child to start, and to stop them all with their supervisor, of CPU and of wall clock."""
    system = System()
    template = Child("child", Server, restart=TEMPORARY)
    system.start(Supervisor(SIMPLE_ONE_FOR_ONE, children=(template,)), "pool")
    begun = clocks()
    for _ in range(count):
        system.start_child("pool", {})
    started = clocks()
    assert system.count_children("pool")["active"] == count
    system.stop_process("pool", "shutdown")
    stopped = clocks()
    assert system.processes() == []
    system.stop()
    times = {"start": (begun, started), "stop": (started, stopped)}
    return {
        f"{what}_{clock}_ms": (after[clock] - before[clock]) * 1e3 / count
        for what, (before, after) in times.items()
        for clock in ("cpu", "wall")
    }


def clocks() -> dict[str, float]:
    """This process's CPU time and the wall clock, in seconds."""
    return {"cpu": time.process_time(), "wall": time.perf_counter()}


def measure(sizes: Sizes) -> list[Figure]:
    """All figures of both sides."""
    figures = []
    for what, (unit, function, more_is_better) in MEASURES.items():
        seen: dict[str, list[float]] = {"pykka": [], "flurm": []}
        for _ in range(sizes.repeats):
            for side in (PykkaSide(), FlurmSide()):
                side.enter()
                try:
                    gc.collect()
                    seen[side.name].append(function(side, sizes))
                finally:
                    side.leave()
        theirs, ours = statistics.median(seen["pykka"]), statistics.median(seen["flurm"])
        figures.append(Figure(what, unit, theirs, ours, ours / theirs if more_is_better else theirs / ours))
    return figures


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.otp", description=(__doc__ or "").split(". Run")[0])
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it runs")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sizes = QUICK if arguments.quick else FULL
    figures = measure(sizes)
    scaling = {count: children(count) for count in sizes.children}
    if arguments.json:
        print(json.dumps({"figures": [asdict(figure) for figure in figures], "children_ms": scaling}, indent=2))
        return 0
    print(f"{'':36}{'pykka':>14}{'flurm':>14}{'better':>9}")
    for figure in figures:
        print(f"{figure.what:36}{figure.pykka:>14,.4g}{figure.flurm:>14,.4g}{figure.better:>9.2f}  {figure.unit}")
    for count, ms in scaling.items():
        shown = [f"{ms[f'{what}_cpu_ms']:.3f} ({ms[f'{what}_wall_ms']:.3f}) ms to {what}" for what in ("start", "stop")]
        print(f"{count:,} temporary children: {', '.join(shown)} each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
