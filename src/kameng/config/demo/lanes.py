"""Shops that live side by side: one process a lane, a day at a time.

Promises that a lane ends with its parent, that its fault is the parent's fault, and that what it
noted comes back at the end. Forked, so that a lane begins with what its parent has read.
"""

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection

from django.db import connections

from kameng.config.demo import rhythm
from kameng.config.demo.commits import relax_commits
from kameng.config.demo.diary import Diary
from kameng.config.demo.lives import Life
from kameng.config.demo.rhythm import Day
from kameng.config.launch.processes import die_with_parent
from kameng.risk.services import forget_windows

LANES = 2
END_SECONDS = 30


class LaneBroken(RuntimeError):
    """A lane could not go on; its traceback is a note for KAMENG_DEBUG=1."""


class Lanes:
    """The running lanes; days are begun on all of them and waited for together."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    def begin(self, day: Day) -> None:
        """Let every lane live a day."""
        for pipe in self._pipes:
            pipe.send(day)

    def wait(self) -> None:
        """Wait until every lane has lived its day; raise `LaneBroken`."""
        for pipe in self._pipes:
            _receive(pipe)

    def finish(self) -> list[Diary]:
        """End the lanes and return what they noted."""
        for pipe in self._pipes:
            pipe.send(None)
        return [_receive(pipe) for pipe in self._pipes]


@contextmanager
def open_lanes(lives: Sequence[Life]) -> Iterator[Lanes]:
    """Share the shops out and start the lanes; they are gone at the end of the block."""
    fork = multiprocessing.get_context("fork")
    connections.close_all()  # a connection belongs to one process
    bind = die_with_parent(signal.SIGKILL)
    pipes, children = [], []
    for lane in share_out(lives):
        ours, theirs = fork.Pipe()
        child = fork.Process(target=_run, args=(lane, theirs, bind), daemon=True)
        child.start()
        theirs.close()
        pipes.append(ours)
        children.append(child)
    try:
        yield Lanes(pipes)
        for child in children:
            child.join(END_SECONDS)
    finally:
        for child in children:
            child.kill()
            child.join()


def share_out(lives: Sequence[Life]) -> list[list[Life]]:
    """Return the shops in as many lanes as there are, about equally busy."""
    lanes: list[list[Life]] = [[] for _ in range(LANES)]
    for life in sorted(lives, key=lambda each: -each.shop.plan["share"]):
        min(lanes, key=lambda lane: sum(each.shop.plan["share"] for each in lane)).append(life)
    return lanes


def _receive(pipe: Connection) -> Diary:
    try:
        answer = pipe.recv()
    except EOFError:
        raise LaneBroken("a lane of the history ended without a word") from None
    if isinstance(answer, tuple):
        reason, trace = answer
        broken = LaneBroken(f"the history broke off: {reason}")
        broken.add_note(trace)
        raise broken
    diary: Diary = answer
    return diary


def _run(lane: Sequence[Life], pipe: Connection, bind: Callable[[], None]) -> None:
    bind()
    diary = Diary()
    try:
        relax_commits()
        simulator = lane[0].simulator.reopened()
        for life in lane:
            life.diary, life.simulator = diary, simulator
        while (day := pipe.recv()) is not None:
            _live(lane, day)
            forget_windows()
            pipe.send(Diary())
        simulator.tell_history()
        pipe.send(diary)
    except Exception as fault:  # told to the parent, whose fault it becomes
        pipe.send((f"{type(fault).__name__}: {str(fault)[:300]}", traceback.format_exc()))
    finally:
        connections.close_all()


def _live(lane: Sequence[Life], day: Day) -> None:
    """Live one day of some shops, in order of time."""
    for life in lane:
        share = life.shop.plan["share"] / 100
        count = int(day.order_count * share + life.rng.random())
        part = Day(starts_at=day.starts_at, ends_at=day.ends_at, order_count=count)
        for moment in rhythm.draw_moments(part, rng=life.rng):
            life.plan(moment, life.visit)
        if day.ends_at == life.ends_at:
            life.plan_last_hour()
        life.live_until(day.ends_at)
