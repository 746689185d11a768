"""Archives of whole sites: asked for, written by the worker, downloaded, removed in time.

Promises that a run that is cut off is begun anew and leaves no half file, that two runs of one
archive never both finish it, and that a file lies encrypted on disk and no longer than a week.
"""

import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import F
from procrastinate.contrib.django import app

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.core.sealed_files import SealedFileMissing, SealedWriter, Shelf
from kameng.insight import errors
from kameng.insight.models import Archive, ArchiveState
from kameng.insight.packing import Packing, count_rows, pack
from kameng.tenancy.selectors import get_site_view

QUEUE: Final = "imports"
WRITE_TASK: Final = "insight.write_archive"
KEPT_FOR: Final = timedelta(days=7)
STRAY_AFTER: Final = timedelta(days=1)
NOTE_NANOSECONDS: Final = 1_000_000_000  # progress is written once a second at most
MOST_ATTEMPTS: Final = 5
AT_WORK: Final = (ArchiveState.WAITING, ArchiveState.RUNNING)
SHELF: Final = Shelf(folder="archives", suffix=".archive", kind="archive")


class RunSuperseded(RuntimeError):
    """Another run has taken this archive over, or nobody wants it any more."""


def ask_archive(*, with_contacts: bool, actor: Actor) -> Archive:
    """Have everything of the site in force written into one file. Audited; queues the job.

    Raises `ArchiveRunning` while one is at work.
    """
    site_id = require_site_id()
    try:
        with transaction.atomic():
            archive: Archive = Archive.objects.create(
                site_id=site_id, with_contacts=with_contacts, asked_by=actor.name[:100]
            )
            record(
                "site.archive.asked",
                actor=actor,
                site_id=site_id,
                subject=("archive", archive.id),
                detail={"with_contacts": with_contacts},
            )
            task = app.configure_task(WRITE_TASK, queue=QUEUE)
            task.defer(site_id=site_id, archive_id=archive.id)
    except IntegrityError as fault:
        raise errors.ArchiveRunning from fault
    return archive


def write_archive(archive_id: int) -> None:
    """Write an archive of the site in force; who comes to one that is done finds nothing to do.

    Each run writes a file of its own from the beginning; the last statement gives it to the
    archive, or finds that another run did.
    """
    attempt = _begin(archive_id)
    if attempt is None:
        return
    archive = Archive.objects.get(id=archive_id)
    progress = _Progress(archive_id, attempt=attempt)
    name = SHELF.new_name()
    packing = Packing(site=get_site_view(archive.site_id), with_contacts=archive.with_contacts)
    try:
        with SHELF.write(name, site_id=archive.site_id) as file:
            sink = _Measured(file)
            pack(sink, packing, noted=progress.note)
        done = Archive.objects.filter(id=archive_id, attempt=attempt, state=ArchiveState.RUNNING)
        now = clock.now()
        taken = done.update(
            state=ArchiveState.READY,
            part="",
            done_count=progress.count,
            file_name=name,
            size_bytes=sink.size,
            digest=sink.digest(),
            finished_at=now,
            expires_at=now + KEPT_FOR,
        )
    except RunSuperseded:
        return
    if not taken:
        SHELF.remove(name)


def open_archive(archive_id: int, *, actor: Actor) -> tuple[Archive, Iterator[bytes]]:
    """Return an archive of the site in force with the bytes of its ZIP file. Audited.

    Raises `ArchiveNotFound` for one that is not ready or expired, `ArchiveDamaged` when its file is
    gone. A later damage ends the bytes with `SealedFileMissing`.
    """
    rows = Archive.objects.filter(
        id=archive_id, state=ArchiveState.READY, expires_at__gt=clock.now()
    )
    archive: Archive | None = rows.first()
    if archive is None:
        raise errors.ArchiveNotFound
    pieces = SHELF.read(SHELF.path(archive.file_name), site_id=archive.site_id)
    try:
        first = next(pieces, b"")
    except SealedFileMissing as fault:
        raise errors.ArchiveDamaged from fault
    with transaction.atomic():
        Archive.objects.filter(id=archive_id).update(download_count=F("download_count") + 1)
        record(
            "site.archive.downloaded",
            actor=actor,
            site_id=archive.site_id,
            subject=("archive", archive.id),
            detail={"with_contacts": archive.with_contacts, "bytes": archive.size_bytes},
        )
    return archive, _from(first, rest=pieces)


def remove_archive(archive_id: int, *, actor: Actor) -> None:
    """Throw an archive of the site in force away before its time, at work or ready. Audited.

    Raises `ArchiveNotFound`.
    """
    with transaction.atomic():
        rows = Archive.objects.filter(id=archive_id).exclude(state=ArchiveState.REMOVED)
        archive = rows.first()
        if archive is None or not rows.update(state=ArchiveState.REMOVED):
            raise errors.ArchiveNotFound
        record(
            "site.archive.removed",
            actor=actor,
            site_id=archive.site_id,
            subject=("archive", archive.id),
        )
    SHELF.remove(archive.file_name)


def sweep_archives() -> int:
    """Remove what is past its time, and files that a cut run left; return how many expired."""
    now = clock.now()
    with platform_scope("archives of every site that are past their time"):
        old = Archive.unscoped.filter(state=ArchiveState.READY, expires_at__lte=now)
        names = list(old.values_list("file_name", flat=True))
        count = int(old.filter(file_name__in=names).update(state=ArchiveState.REMOVED))
        kept = Archive.unscoped.filter(state=ArchiveState.READY)
        known = set(kept.values_list("file_name", flat=True))
    for name in names:
        SHELF.remove(name)
    SHELF.remove_strays(known, before=now - STRAY_AFTER)
    return count


def rotate_archives() -> Iterator[int]:
    """Encrypt archives with the current key where they are not; yield 1 for each. Resumable."""
    with platform_scope("rotate the keys of archives"):
        rows = Archive.unscoped.filter(state=ArchiveState.READY).order_by("id")
        files = list(rows.values_list("site_id", "file_name"))
    for site_id, name in files:
        if SHELF.renew(name, site_id=site_id):
            yield 1


def list_archives(limit: int = 10) -> list[Archive]:
    """Return the archives of the site in force, newest first."""
    return list(Archive.objects.order_by("-id")[:limit])


def get_archive(archive_id: int) -> Archive:
    """Return an archive of the site in force; raise `ArchiveNotFound`."""
    found: Archive | None = Archive.objects.filter(id=archive_id).first()
    if found is None:
        raise errors.ArchiveNotFound
    return found


def _begin(archive_id: int) -> int | None:
    """Take an archive for a run and return the run's number; None when there is nothing to do."""
    rows = Archive.objects.filter(id=archive_id, state__in=AT_WORK)
    rows.filter(attempt__gte=MOST_ATTEMPTS).update(
        state=ArchiveState.FAILED, finished_at=clock.now()
    )
    taken = rows.update(
        state=ArchiveState.RUNNING,
        attempt=F("attempt") + 1,
        done_count=0,
        part="",
        total_count=count_rows(),
    )
    return Archive.objects.get(id=archive_id).attempt if taken else None


def _from(first: bytes, *, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


class _Measured:
    """A sink that knows how much went through it, and its SHA-256."""

    def __init__(self, file: SealedWriter) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Do nothing."""

    def digest(self) -> str:
        """Return the SHA-256 of all of it, in hex."""
        return self._hash.hexdigest()


class _Progress:
    """Writes how far a run has come, and learns there that another took its place."""

    def __init__(self, archive_id: int, *, attempt: int) -> None:
        self._rows = Archive.objects.filter(
            id=archive_id, attempt=attempt, state=ArchiveState.RUNNING
        )
        self._part, self._written_ns = "", 0
        self.count = 0

    def note(self, part: str, *, count: int) -> None:
        """Count rows of a part. Raises `RunSuperseded`."""
        self.count += count
        now = time.monotonic_ns()
        if part == self._part and now - self._written_ns < NOTE_NANOSECONDS:
            return
        self._part, self._written_ns = part, now
        if not self._rows.update(part=part, done_count=self.count):
            raise RunSuperseded
