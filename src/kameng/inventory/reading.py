"""Frames of an uploaded key file, from a process beside this one or, for a few lines, from here.

Promises the same frames either way, at most two of them in memory, and no process left behind.
"""

import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from django.conf import settings

from kameng.catalog.uploads import UploadMissing
from kameng.core.tabular import TableUnreadable
from kameng.inventory import sealing, sealing_child
from kameng.inventory.sealing import KeyFile, KeyFrame
from kameng.inventory.sealing_child import CHECK, SEAL, FileRefused

CHECK_RECORDS: Final = 20_000
_LEAVE_SECONDS: Final = 5

__all__ = ["FileRefused", "read_checked", "read_sealed"]


def read_checked(source: KeyFile, *, beside: bool) -> Generator[KeyFrame, None, None]:
    """Yield the frames of a dry run; raise `FileRefused` when the file is no list of keys."""
    if beside:
        yield from _frames_beside(source, skip_count=0, take_ids=None)
        return
    try:
        records, problems = sealing.read_records(source)
        frame = KeyFrame()
        while not frame.is_last:
            frame = sealing.check_frame(records, site_id=source.site_id, limit=CHECK_RECORDS)
            sealing.describe_file(frame, problems)
            yield frame
    except (TableUnreadable, UploadMissing) as fault:
        raise _refusal(fault) from fault


def read_sealed(
    source: KeyFile, *, skip_count: int, take_ids: Callable[[], list[int]], beside: bool
) -> Generator[KeyFrame, None, None]:
    """Yield frames of encrypted keys after `skip_count` records; raise `FileRefused`.

    `take_ids` gives the ids of the next frame; it is called between the caller's transactions.
    """
    if beside:
        yield from _frames_beside(source, skip_count=skip_count, take_ids=take_ids)
        return
    try:
        records, _problems = sealing.read_records(source)
        sealing.skip_records(records, count=skip_count)
        frame = KeyFrame()
        while not frame.is_last:
            frame = sealing.seal_frame(records, site_id=source.site_id, ids=take_ids())
            yield frame
    except (TableUnreadable, UploadMissing) as fault:
        raise _refusal(fault) from fault


def _refusal(fault: TableUnreadable | UploadMissing) -> FileRefused:
    if isinstance(fault, TableUnreadable):
        return FileRefused(fault.problem.code, fault.problem.params)
    return FileRefused("upload_missing", {})


def _frames_beside(
    source: KeyFile, *, skip_count: int, take_ids: Callable[[], list[int]] | None
) -> Generator[KeyFrame, None, None]:
    arguments = [source.path, str(source.site_id), source.fmt.value, str(skip_count)]
    child = subprocess.Popen(
        [sys.executable, "-m", sealing_child.__name__, *arguments, str(_keyring())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if child.stdin is None or child.stdout is None:
        raise OSError("the child has no pipes")
    try:
        _ask(child.stdin, take_ids)
        is_last = False
        while not is_last:
            frame = KeyFrame(**sealing_child.receive_frame(child.stdout))
            is_last = frame.is_last
            if not is_last:
                # Asked before the caller stores this one: both work at the same time.
                _ask(child.stdin, take_ids)
            yield frame
    finally:
        child.kill()
        child.wait(_LEAVE_SECONDS)
        for pipe in (child.stdin, child.stdout):
            with suppress(BrokenPipeError):
                pipe.close()


def _ask(pipe: IO[bytes], take_ids: Callable[[], list[int]] | None) -> None:
    if take_ids is None:
        _send(pipe, mode=CHECK, count=CHECK_RECORDS)
        return
    ids = take_ids()
    _send(pipe, mode=SEAL, count=len(ids), ids=ids)


def _send(pipe: IO[bytes], *, mode: bytes, count: int, ids: Sequence[int] = ()) -> None:
    # A child that refused the file has ended already: what it said is read in place of a frame.
    with suppress(BrokenPipeError):
        sealing_child.send_request(pipe, mode=mode, count=count, ids=ids)


def _keyring() -> Path:
    return Path(settings.KEYRING_PATH)
