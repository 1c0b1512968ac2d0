"""The runtime of tests: one thread, virtual time, and a seed that decides every race.

Each process is a greenlet that runs the same loop as on threads (process.py). Wherever it could be overtaken there (it
sends, it waits) it may stop here, and the seed picks who goes on. Nothing runs by itself: the driver, who is whoever
made the `Simulation`, waits for something, and processes run meanwhile. When none can run, time jumps to the next
timer or deadline. So a run depends on nothing but the seed, and takes no longer than its computations.

A killed process never runs a line of its own code again, other than `finally` and `except BaseException`.

Several systems may share one `Scheduler`: machines in one world, each with its own `SimClock`. A machine loses power
with `Simulation.lose_power`: every task of it ends where it stands, at any step, and nobody in it is told.
"""

from __future__ import annotations

import heapq
import queue
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import greenlet

from flurm.otp.errors import OtpError, ProcessExit
from flurm.otp.gen_server import GenServer
from flurm.otp.messages import Pid
from flurm.otp.runtime.process import Process
from flurm.otp.runtime.sender import Outcome, Sender
from flurm.otp.runtime.system import SystemCore
from flurm.otp.runtime.timers import TimerRef

EPOCH_S: Final = 1_700_000_000.0
"""Wall clock at the beginning of every simulation."""
MAX_STEPS: Final = 1_000_000
OVERTAKEN: Final = 0.3
"""How often a process is overtaken right after it has sent something."""


class Deadlock(OtpError):
    """The driver waits for what cannot happen: nobody can run, and no timer is armed."""


class Livelock(OtpError):
    """Time stood still for very many steps."""


class Task:
    """Something that runs by turns: a process, or a function beside all of them. It dies with its owner."""

    __slots__ = ("greenlet", "owner", "process", "ready")

    def __init__(self, process: Process | None, owner: Any) -> None:
        self.process = process
        self.owner = owner
        self.greenlet: Any = None
        self.ready = False


class SimClock:
    """The clocks of one machine: they run at `rate` times the true speed, and the wall clock may be wrong as well."""

    def __init__(self, scheduler: Scheduler, rate: float = 1.0, ahead_s: float = 0.0) -> None:
        self._scheduler = scheduler
        self.rate = rate
        self.ahead_s = ahead_s

    def now_s(self) -> float:
        """Wall clock, in seconds since 1970."""
        return EPOCH_S + self.ahead_s + self.monotonic_s()

    def monotonic_s(self) -> float:
        """Clock for intervals, in seconds."""
        return self._scheduler.now_s * self.rate

    def true_s(self, seconds: float) -> float:
        """How long it really takes until this clock has gone on by `seconds`."""
        return seconds / self.rate


class Scheduler:
    """Who runs next, and what time it is."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.running: Task | None = None
        self.locked = 0
        self.steps = 0
        self.total_steps = 0
        self._ready: list[Task] = []
        self._alarms: list[list[Any]] = []  # [due_s, number, action or None when taken back]
        self._number = 0
        self._driver = greenlet.getcurrent()
        self._tasks: dict[Any, dict[Task, None]] = {}
        self._unwinding = False
        self._countdowns: list[list[Any]] = []  # [steps left, action]

    def spawn(self, function: Callable[[], Any], process: Process | None = None, owner: Any = None) -> Task:
        """A task that will run `function`, unless its owner ends before."""
        task = Task(process, owner)
        task.greenlet = greenlet.greenlet(function, parent=self._driver)
        if not self._unwinding:
            self._tasks.setdefault(owner, {})[task] = None
            self.wake(task)
        return task

    def wake(self, task: Task) -> None:
        """Let a task go on, when its turn comes."""
        if not task.ready and not task.greenlet.dead:
            task.ready = True
            self._ready.append(task)

    def end(self, owner: Any) -> None:
        """End all tasks of `owner` where they stand; only the driver may, between two steps."""
        assert self.running is None, "a task cannot end its own owner: let the driver do it"
        tasks = self._tasks.pop(owner, {})
        self._ready = [task for task in self._ready if task.owner is not owner]
        self._unwinding = True
        try:
            for task in tasks:
                task.ready = True  # it is never woken again
                while not task.greenlet.dead:
                    task.greenlet.throw()
        finally:
            self._unwinding = False

    def after_steps(self, steps: int, action: Callable[[], None]) -> None:
        """Have the driver call `action` when tasks have made so many more steps."""
        self._countdowns.append([steps, action])

    def _count_down(self) -> None:
        for countdown in list(self._countdowns):
            countdown[0] -= 1
            if countdown[0] <= 0:
                self._countdowns.remove(countdown)
                countdown[1]()

    def alarm(self, due_s: float, action: Callable[[], None]) -> list[Any]:
        """Have `action` called at `due_s`. Taken back by putting None in its place."""
        self._number += 1
        entry = [due_s, self._number, action]
        heapq.heappush(self._alarms, entry)
        return entry

    def park(self, deadline_s: float | None = None) -> None:
        """Stop the running task until it is woken, or until the time has come."""
        if self._unwinding:
            raise greenlet.GreenletExit
        task = self.running
        assert task is not None
        alarm = self.alarm(deadline_s, lambda: self.wake(task)) if deadline_s is not None else None
        self._driver.switch()
        if alarm is not None:
            alarm[2] = None

    def overtake(self) -> None:
        """Perhaps let others go first."""
        task = self.running
        if task is None or self.locked or not self._ready:
            return
        process = task.process
        if (process is not None and process.exited) or self.random.random() >= OVERTAKEN:
            return
        self.wake(task)
        self.park()
        if process is not None and process.exited:
            raise ProcessExit(process.reason)

    def wait_for(self, condition: Callable[[], Any], timeout_s: float | None, waiters: list[Task]) -> bool:
        """Wait until `condition`; a task is woken through `waiters`, the driver lets the others run meanwhile.

        False when `timeout_s` are over. Raises ProcessExit in a process that has been killed.
        """
        if self._unwinding:
            raise greenlet.GreenletExit
        if self.running is None:
            return self.drive(condition, timeout_s)
        task = self.running
        deadline_s = None if timeout_s is None else self.now_s + max(timeout_s, 0)
        while not condition():
            if task.process is not None and task.process.exited:
                raise ProcessExit(task.process.reason)
            if deadline_s is not None and self.now_s >= deadline_s:
                return False
            waiters.append(task)
            self.park(deadline_s)
            if task in waiters:
                waiters.remove(task)
        return True

    def drive(self, condition: Callable[[], Any], timeout_s: float | None) -> bool:
        """Run others until `condition`, or for `timeout_s` of virtual time. Raises Deadlock and Livelock."""
        deadline_s = None if timeout_s is None else self.now_s + max(timeout_s, 0)
        self.steps = 0
        while not condition():
            if self.step() or condition() or self.step():  # again: a condition that asks lets others run after it
                continue
            if not self._advance(deadline_s):
                if deadline_s is None:
                    raise Deadlock("the driver waits for what cannot happen")
                self.now_s = deadline_s
                return False
        return True

    def step(self) -> bool:
        """Let one task run until it parks. False where none can."""
        ready = self._ready
        if not ready:
            return False
        self.steps += 1
        self.total_steps += 1
        if self.steps > MAX_STEPS:
            raise Livelock(f"{MAX_STEPS} steps without time passing")
        if self._countdowns:
            self._count_down()
            if not self._ready:
                return True
            ready = self._ready
        index = int(self.random.random() * len(ready))
        ready[index], ready[-1] = ready[-1], ready[index]
        task = ready.pop()
        task.ready = False
        self.running = task
        try:
            task.greenlet.switch()
        finally:
            self.running = None
            if task.greenlet.dead:
                self._tasks.get(task.owner, {}).pop(task, None)
        return True

    def _advance(self, deadline_s: float | None) -> bool:
        """Go to the time of the next alarm, unless that is beyond the deadline, and ring all that are due."""
        alarms = self._alarms
        while alarms and alarms[0][2] is None:
            heapq.heappop(alarms)
        if not alarms or (deadline_s is not None and alarms[0][0] > deadline_s):
            return False
        due_s = alarms[0][0]
        if due_s > self.now_s:
            self.now_s, self.steps = due_s, 0
        while alarms and alarms[0][0] <= due_s:
            action = heapq.heappop(alarms)[2]
            if action is not None:
                action()
        return True


class SimLock:
    """Stands for a thread's lock; while it is held nobody is overtaken, so nobody waits for it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def __enter__(self) -> None:
        self._scheduler.locked += 1

    def __exit__(self, *_exc: object) -> None:
        self._scheduler.locked -= 1


class SimInbox:
    """Messages of one process; has what `Process` uses of a SimpleQueue."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._items: deque[Any] = deque()
        self._waiters: list[Task] = []

    def put(self, item: Any) -> None:
        """Queue, and perhaps let others go first."""
        self._items.append(item)
        for task in self._waiters:
            self._scheduler.wake(task)
        self._scheduler.overtake()

    def get(self, timeout: float | None = None) -> Any:
        """The next message; raises queue.Empty."""
        items = self._items
        if not items and not self._scheduler.wait_for(lambda: items, timeout, self._waiters):
            raise queue.Empty
        return items.popleft()

    def qsize(self) -> int:
        """How many wait."""
        return len(self._items)

    def empty(self) -> bool:
        """Whether none does."""
        return not self._items


class SimEvent:
    """Something that happens once; has what is used of a threading.Event."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._happened = False
        self._waiters: list[Task] = []

    def set(self) -> None:
        """It happens."""
        self._happened = True
        for task in self._waiters:
            self._scheduler.wake(task)

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._happened

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for it; False where the time is up."""
        return self._scheduler.wait_for(self.is_set, timeout, self._waiters)


class _Settled:
    """Outcome and Sender without a lock; mixed in before them."""

    __slots__ = ()

    def settle(self: Any, kind: int, value: Any) -> None:
        """Put the outcome, unless there is one."""
        self._box.append((kind, value))
        self._lock.set()

    def wait(self: Any, timeout_s: float) -> tuple[int, Any] | None:
        """The outcome, or None when it does not come in time."""
        self._lock.wait(None if timeout_s == float("inf") else timeout_s)
        return self._box[0] if self._box else None


class SimOutcome(_Settled, Outcome):
    """See Outcome."""

    __slots__ = ()

    def __init__(self, scheduler: Scheduler) -> None:
        self._lock = SimEvent(scheduler)
        self._box = []


class SimSender(_Settled, Sender):
    """See Sender."""

    __slots__ = ()

    def __init__(self, scheduler: Scheduler, callee: Any, pid: Pid | None) -> None:
        self._lock = SimEvent(scheduler)
        self._box = []
        self.callee = callee
        self.pid = pid


class SimTimers:
    """Timers on a machine's clock; has what `System` uses of Timers."""

    def __init__(self, scheduler: Scheduler, clock: SimClock, deliver: Callable[[Any, Any], None]) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._deliver = deliver
        self._armed: dict[TimerRef, list[Any]] = {}

    def send_after(self, delay_s: float, target: Any, message: Any) -> TimerRef:
        """Arm a timer."""
        ref = TimerRef(self._scheduler.now_s + self._clock.true_s(max(delay_s, 0)), 0, target, message)
        self._armed[ref] = self._scheduler.alarm(ref.due_s, lambda: self._fire(ref))
        return ref

    def cancel(self, ref: TimerRef) -> float | None:
        """Disarm; returns the seconds that were left, None where the timer is no longer armed."""
        alarm = self._armed.pop(ref, None)
        if alarm is None:
            return None
        alarm[2] = None
        ref.state, ref.message = "cancelled", None
        return max(ref.due_s - self._scheduler.now_s, 0) * self._clock.rate

    def stop(self) -> None:
        """Drop all timers."""
        for ref in list(self._armed):
            self.cancel(ref)

    def __len__(self) -> int:
        return len(self._armed)

    def _fire(self, ref: TimerRef) -> None:
        del self._armed[ref]
        ref.state = "fired"
        self._deliver(ref.target, ref.message)


class SimProcess(Process):
    """A process that runs by turns."""

    task: Task | None = None

    def __init__(self, scheduler: Scheduler, *args: Any) -> None:
        self._scheduler = scheduler
        self.actor_inbox = SimInbox(scheduler)
        self.actor_stopped = SimEvent(scheduler)
        super().__init__(*args)

    def run(self) -> None:
        """Get in line."""
        self.task = self._scheduler.spawn(self._run, self, self.system)

    def _run(self) -> None:
        try:
            if not self.exited:
                self._live()
        finally:
            self._forget_messages()

    def finish(self, reason: Any, tell_parent: bool = True) -> bool:
        """See Process; whatever a killed one waits for, it waits no longer."""
        first = super().finish(reason, tell_parent)
        if first and self.task is not None and self._scheduler.running is not self.task:
            self._scheduler.wake(self.task)
        return first


class Simulation(SystemCore):
    """A system on one thread and virtual time. Two with the same seed and the same driver do the same.

    The driver may call whatever a thread outside of all processes may call of `System`; what it waits for happens
    meanwhile. `settle`, `sleep` and `until` let processes run without waiting for anything in particular.
    """

    def __init__(
        self,
        env: dict[str, Any] | None = None,
        seed: int = 0,
        scheduler: Scheduler | None = None,
        clock: SimClock | None = None,
    ) -> None:
        self.scheduler = scheduler or Scheduler(seed)
        self.clock = clock or SimClock(self.scheduler)
        self.seed = seed
        super().__init__(env, SimLock(self.scheduler))
        self._timers = SimTimers(self.scheduler, self.clock, self.info)

    def current(self) -> Process | None:
        """See SystemCore."""
        task = self.scheduler.running
        return task.process if task is not None else None

    def new_outcome(self) -> Outcome:
        """See SystemCore."""
        return SimOutcome(self.scheduler)

    def new_event(self) -> SimEvent:
        """See SystemCore."""
        return SimEvent(self.scheduler)

    def new_sender(self, callee: Process, pid: Pid | None) -> Sender:
        """See SystemCore."""
        return SimSender(self.scheduler, callee, pid)

    def new_process(
        self, module: GenServer, args: dict[str, Any], pid: Pid, name: str | None, parent: Process | None
    ) -> Process:
        """See SystemCore."""
        return SimProcess(self.scheduler, self, module, args, pid, name, parent)

    def beside(self, function: Callable[[], Any]) -> None:
        """Have `function` run by turns with the processes."""
        self.scheduler.spawn(function, owner=self)

    def now_s(self) -> float:
        """See SystemCore."""
        return self.clock.now_s()

    def monotonic_s(self) -> float:
        """See SystemCore."""
        return self.clock.monotonic_s()

    def lose_power(self) -> None:
        """The machine is gone: all that runs in it ends at this very step. Only the driver may do that."""
        self._timers.stop()
        self._stopped = True
        for process in self.processes():
            process.exited, process.reason = True, "power lost"
        self.scheduler.end(self)

    def settle(self) -> None:
        """Let everybody run who can, without letting time pass."""
        self.scheduler.steps = 0
        while self.scheduler.step():
            pass

    def sleep(self, seconds: float) -> None:
        """Let `seconds` of virtual time pass: in a process or beside them all, or in the driver for all others."""
        self.scheduler.wait_for(lambda: False, seconds, [])

    def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """Let everybody run until `condition`; returns its value. Raises AssertionError when it does not come true."""
        assert self.scheduler.drive(condition, timeout_s), (
            f"did not come true within {timeout_s:g} s (seed {self.seed})"
        )
        return condition()
