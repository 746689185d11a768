"""Uploaded files on disk, encrypted piece by piece, for as long as an import needs them.

Owns the format and the folder. Promises that a file on disk reads as noise without the key ring,
that pieces of another file or site, a missing end or a changed order are refused, and that
reading and writing hold one piece in memory.
"""

import os
import secrets
import struct
from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from kameng.core.crypto import CipherBroken, binding, decrypt, encrypt, ring

PIECE_BYTES: Final = 1 << 20
_LENGTH: Final = struct.Struct(">I")
_SUFFIX: Final = ".upload"


class UploadMissing(RuntimeError):
    """The file is gone or damaged: the import has to be started again with the file."""


def upload_path(name: str) -> Path:
    """Return where the upload of this name lies."""
    return Path(settings.HOME) / "uploads" / name


def store_upload(chunks: Iterable[bytes], *, site_id: int) -> str:
    """Write a file under a new random name and return the name; it survives a crash."""
    name = secrets.token_hex(16) + _SUFFIX
    path = upload_path(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _write(path, chunks, site_id=site_id, name=name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def read_upload(path: Path, *, site_id: int) -> Iterator[bytes]:
    """Yield the pieces of a file; raise `UploadMissing` when it is gone, cut or damaged."""
    try:
        with path.open("rb") as file:
            number = 1
            while True:
                length = file.read(_LENGTH.size)
                if len(length) < _LENGTH.size:
                    raise UploadMissing("the upload has no end")
                sealed = file.read(_LENGTH.unpack(length)[0])
                piece = decrypt(sealed, _place(site_id, path.name, number))
                if not piece:
                    return
                yield piece
                number += 1
    except (OSError, CipherBroken) as fault:
        raise UploadMissing("the upload cannot be read") from fault


def renew_upload(name: str, *, site_id: int) -> bool:
    """Encrypt a file with the current key where it is not, in place at once; tell whether it was.

    One that is gone or damaged is left as it is: who reads it says so.
    """
    path = upload_path(name)
    draft = path.with_suffix(".renewed")
    try:
        if not _is_stale(path):
            return False
        pieces = read_upload(path, site_id=site_id)
        _write(draft, pieces, site_id=site_id, name=name)
        draft.replace(path)
    except (FileNotFoundError, UploadMissing):
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def remove_upload(name: str) -> None:
    """Remove a file; it is no fault when it is gone already."""
    if name:
        upload_path(name).unlink(missing_ok=True)


def remove_strays(known: Container[str], *, before: datetime) -> int:
    """Remove files that a crash left behind before any import knew them; return how many."""
    count = 0
    for path in upload_path("").glob(f"*{_SUFFIX}"):
        if path.name not in known and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            count += 1
    return count


def _write(path: Path, chunks: Iterable[bytes], *, site_id: int, name: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        number = 0
        for number, piece in enumerate(_pieces(chunks), start=1):
            file.write(_sealed(piece, _place(site_id, name, number)))
        file.write(_sealed(b"", _place(site_id, name, number + 1)))
        file.flush()
        os.fsync(file.fileno())


def _is_stale(path: Path) -> bool:
    """Tell whether a piece is under another key than the current one; its first byte says so."""
    current = bytes((ring().current % 256,))
    with path.open("rb") as file:
        while len(length := file.read(_LENGTH.size)) == _LENGTH.size:
            if file.read(1) != current:
                return True
            file.seek(_LENGTH.unpack(length)[0] - 1, os.SEEK_CUR)
    return False


def _place(site_id: int, name: str, number: int) -> bytes:
    return binding(site_id, "upload", f"{name}:{number}")


def _sealed(piece: bytes, place: bytes) -> bytes:
    body = encrypt(piece, place)
    return _LENGTH.pack(len(body)) + body


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= PIECE_BYTES:
            yield bytes(held[:PIECE_BYTES])
            del held[:PIECE_BYTES]
    if held:
        yield bytes(held)
