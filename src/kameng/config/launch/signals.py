"""Signals as a supervisor wants them: they end a wait at once, and nothing in the middle of a step.

One wait, `pause`, is the only place where the program learns that it shall stop.
"""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Self

from kameng.config.launch.failure import StopRequested

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """The signal handlers of the main thread, as long as the block lasts."""

    def __init__(self) -> None:
        self.request_count = 0
        self._old: dict[signal.Signals, object] = {}
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wakeup = -1

    def __enter__(self) -> Self:
        self._old_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in STOPPING:
            self._old[number] = signal.signal(number, self._note)
        # Without a handler of its own the end of a child would not wake the wait.
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, self._ignore)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self._reader)
        os.close(self._writer)

    def pause(self, seconds: float) -> None:
        """Wait until something happens, at most `seconds`; raise `StopRequested` when asked to."""
        self.rest(seconds)
        if self.request_count:
            raise StopRequested

    def rest(self, seconds: float) -> None:
        """Wait like `pause`, but leave it to the caller to look at `request_count`."""
        select.select([self._reader], [], [], max(0.0, seconds))
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.request_count += 1

    def _ignore(self, number: int, frame: FrameType | None) -> None:
        """The wake-up itself is all that is wanted."""
