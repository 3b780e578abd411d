"""Several processes on one simulator, one at a time: at every call and every sleep the next one in virtual time goes on."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from tests.sim.aws import Hand, Sim
from tests.sim.faults import Crash

SLOW = 0.1  # the share of calls that take up to SLOW_S
QUICK_S, SLOW_S = 0.15, 2.5  # one way


class Turns:
    """The Baton of a simulator. Each process is a thread; all but one stand at their lock."""

    def __init__(self, sim: Sim, dice: random.Random) -> None:
        self.sim = sim
        self.dice = dice
        self.waiting: dict[int, tuple[float, threading.Lock]] = {}  # by thread: when it goes on
        self.failed: list[BaseException] = []
        self._done = threading.Lock()
        self._over = False

    def play(self, jobs: list[tuple[float, Callable[[], None]]]) -> None:
        """Start each job after so many seconds; back when all have ended. Raises what one of them raised."""
        self._done.acquire()
        threads = [threading.Thread(target=self._run, args=(job,), daemon=True) for _, job in jobs]
        for thread, (delay, _) in zip(threads, jobs, strict=True):
            lock = threading.Lock()
            lock.acquire()
            self._locks[thread] = lock
            self.waiting[id(lock)] = (self.sim.account.time + delay, lock)
        self.sim.baton = self
        try:
            for thread in threads:
                thread.start()
            self._next(None)
            self._done.acquire()
            for thread in threads:
                thread.join()
        finally:
            self.sim.baton = None
        if self.failed:
            raise self.failed[0]

    @property
    def _locks(self) -> dict[threading.Thread, threading.Lock]:
        return self.__dict__.setdefault("_by_thread", {})

    def _run(self, job: Callable[[], None]) -> None:
        mine = self._locks[threading.current_thread()]
        mine.acquire()
        try:
            if not self._over:
                job()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `play`
            self.failed.append(error)
            self._over = True
        self._next(None)

    def wait(self, hand: Hand, seconds: float, *, call: bool = False) -> None:
        if call:
            seconds = self.dice.random() * (SLOW_S if self.dice.random() < SLOW else QUICK_S)
        mine = self._locks[threading.current_thread()]
        self.waiting[id(mine)] = (self.sim.account.time + seconds, mine)
        if self._next(mine) is not mine:
            mine.acquire()
        if self._over:
            hand.dead = True
            raise Crash

    def _next(self, mine: threading.Lock | None) -> threading.Lock | None:
        """Whose turn it is: its lock is free then, unless it is the caller's own."""
        if not self.waiting:
            self._done.release()
            return None
        key = min(self.waiting, key=lambda each: self.waiting[each][0])
        at, lock = self.waiting.pop(key)
        try:
            self.sim.account.advance(at)
        except BaseException as error:  # noqa: BLE001 - a late call may break a promise; `play` raises it
            self.failed.append(error)
            self._over = True
        if lock is not mine:
            lock.release()
        return lock
