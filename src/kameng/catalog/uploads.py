"""Uploaded files on disk, encrypted piece by piece (`core.sealed_files`), while an import lasts."""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from kameng.core.sealed_files import PIECE_BYTES, SealedFileMissing, Shelf

__all__ = [
    "PIECE_BYTES",
    "UploadMissing",
    "read_upload",
    "remove_strays",
    "remove_upload",
    "renew_upload",
    "store_upload",
    "upload_path",
]

UploadMissing = SealedFileMissing
_SHELF: Final = Shelf(folder="uploads", suffix=".upload", kind="upload")


def upload_path(name: str) -> Path:
    """Return where the upload of this name lies."""
    return _SHELF.path(name)


def store_upload(chunks: Iterable[bytes], *, site_id: int) -> str:
    """Write a file under a new random name and return the name; it survives a crash."""
    name = _SHELF.new_name()
    with _SHELF.write(name, site_id=site_id) as writer:
        writer.write_all(chunks)
    return name


def read_upload(path: Path, *, site_id: int) -> Iterator[bytes]:
    """Yield the pieces of a file; raise `UploadMissing` when it is gone, cut or damaged."""
    return _SHELF.read(path, site_id=site_id)


def renew_upload(name: str, *, site_id: int) -> bool:
    """Encrypt a file with the current key where it is not, in place; tell whether it was."""
    return _SHELF.renew(name, site_id=site_id)


def remove_upload(name: str) -> None:
    """Remove a file; it is no fault when it is gone already."""
    _SHELF.remove(name)


def remove_strays(known: Container[str], *, before: datetime) -> int:
    """Remove files that a crash left behind before any import knew them; return how many."""
    return _SHELF.remove_strays(known, before=before)
