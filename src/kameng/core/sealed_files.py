"""Files on disk under KAMENG_HOME, encrypted piece by piece, written and read as streams.

Owns their format. Promises that a file on disk reads as noise without the key ring, that pieces of
another file or site, a missing end or a changed order are refused, and that reading and writing
hold one piece in memory.
"""

import os
import secrets
import struct
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from django.conf import settings

from kameng.core.crypto import CipherBroken, binding, decrypt, encrypt, ring

PIECE_BYTES: Final = 1 << 20
_LENGTH: Final = struct.Struct(">I")


class SealedFileMissing(RuntimeError):
    """The file is gone or damaged: what it was needed for has to be begun again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A folder of sealed files of one kind. `kind` is bound into each piece: never change it."""

    folder: str
    suffix: str
    kind: str

    def path(self, name: str) -> Path:
        """Return where the file of this name lies."""
        return Path(settings.HOME) / self.folder / name

    def new_name(self) -> str:
        """Return a random name; its folder exists afterwards."""
        self.path("").mkdir(mode=0o700, parents=True, exist_ok=True)
        return secrets.token_hex(16) + self.suffix

    def write(self, name: str, *, site_id: int) -> "SealedWriter":
        """Open a new file for writing; as a context it is whole afterwards, or gone."""
        return SealedWriter(self, self.path(name), site_id=site_id, name=name)

    def read(self, path: Path, *, site_id: int) -> Iterator[bytes]:
        """Yield the pieces of a file; raise `SealedFileMissing` when it is gone, cut or damaged."""
        try:
            with path.open("rb") as file:
                number = 1
                while True:
                    length = file.read(_LENGTH.size)
                    if len(length) < _LENGTH.size:
                        raise SealedFileMissing("the file has no end")
                    sealed = file.read(_LENGTH.unpack(length)[0])
                    piece = decrypt(sealed, self.place(path.name, site_id=site_id, number=number))
                    if not piece:
                        return
                    yield piece
                    number += 1
        except (OSError, CipherBroken) as fault:
            raise SealedFileMissing("the file cannot be read") from fault

    def renew(self, name: str, *, site_id: int) -> bool:
        """Encrypt a file with the current key where it is not, in place at once; tell whether so.

        One that is gone or damaged is left as it is: who reads it says so.
        """
        path = self.path(name)
        draft = path.with_suffix(".renewed")
        try:
            if not _is_stale(path):
                return False
            with SealedWriter(self, draft, site_id=site_id, name=name) as writer:
                writer.write_all(self.read(path, site_id=site_id))
            draft.replace(path)
        except (FileNotFoundError, SealedFileMissing):
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def remove(self, name: str) -> None:
        """Remove a file; it is no fault when it is gone already."""
        if name:
            self.path(name).unlink(missing_ok=True)

    def remove_strays(self, known: Container[str], *, before: datetime) -> int:
        """Remove files that a crash left behind before anything knew them; return how many."""
        count = 0
        for path in self.path("").glob(f"*{self.suffix}"):
            if path.name not in known and path.stat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)
                count += 1
        return count

    def place(self, name: str, *, site_id: int, number: int) -> bytes:
        """Return what binds a piece to its file and its place in it."""
        return binding(site_id, self.kind, f"{name}:{number}")


class SealedWriter:
    """Writes one file piece by piece. It never seeks, so that a ZIP file may stream into it."""

    def __init__(self, shelf: Shelf, path: Path, *, site_id: int, name: str) -> None:
        self._shelf, self._path, self._name, self._site_id = shelf, path, name, site_id
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._held = bytearray()
        self._number = 0

    def write(self, data: bytes) -> int:
        """Take bytes; what fills a piece goes to the disk."""
        self._held += data
        while len(self._held) >= PIECE_BYTES:
            self._put(bytes(self._held[:PIECE_BYTES]))
            del self._held[:PIECE_BYTES]
        return len(data)

    def write_all(self, chunks: Iterable[bytes]) -> None:
        """Take every chunk in turn."""
        for chunk in chunks:
            self.write(chunk)

    def flush(self) -> None:
        """Do nothing: a piece is written when it is full, and the rest at the end."""

    def __enter__(self) -> "SealedWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Write the end and make it last; after a fault remove the file."""
        try:
            with self._file:
                if kind is None:
                    if self._held:
                        self._put(bytes(self._held))
                    self._put(b"")
                    self._file.flush()
                    os.fsync(self._file.fileno())
        except BaseException:
            self._path.unlink(missing_ok=True)
            raise
        if kind is not None:
            self._path.unlink(missing_ok=True)

    def _put(self, piece: bytes) -> None:
        self._number += 1
        place = self._shelf.place(self._name, site_id=self._site_id, number=self._number)
        body = encrypt(piece, place)
        self._file.write(_LENGTH.pack(len(body)) + body)


def _is_stale(path: Path) -> bool:
    """Tell whether a piece is under another key than the current one; its first byte says so."""
    current = bytes((ring().current % 256,))
    with path.open("rb") as file:
        while len(length := file.read(_LENGTH.size)) == _LENGTH.size:
            if file.read(1) != current:
                return True
            file.seek(_LENGTH.unpack(length)[0] - 1, os.SEEK_CUR)
    return False
