"""The key ring: the only secret that stands outside the database.

A JSON file `{"current": "2", "keys": {"1": base64, "2": base64}, "index": base64}`: AES-256 keys by
version, and one key for blind indexes. A database dump without this file reads as noise.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

KEY_BYTES = 32
LOOK_AGAIN_SECONDS = 1.0


class KeyringBroken(RuntimeError):
    """The key file is missing, unreadable or malformed: nothing can be decrypted."""


class KeyringBusy(RuntimeError):
    """Another rotation is under way."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """AES keys by version; new values are written with `current`."""

    current: int
    keys: dict[int, bytes]
    index_key: bytes

    def __repr__(self) -> str:
        return f"Keyring(current={self.current}, versions={sorted(self.keys)})"


def _write(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keyring-")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o600)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    # The name too must outlive a power cut before anything is encrypted with a key of this file.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Keep other rotations of this key file away; raise `KeyringBusy` when one is under way.

    Two at once would each add a key under the same number, and one of the two keys would be lost.
    """
    lock = path.with_name(f".{path.name}.lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KeyringBusy(f"another rotation of {path} is under way") from None
        yield
    finally:
        os.close(handle)


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def ensure(path: Path) -> Path:
    """Make the key file on the first start; never touch one that exists."""
    if not path.exists():
        _write(path, {"current": "1", "keys": {"1": _new_key()}, "index": _new_key()})
    return path


def add_key(path: Path) -> int:
    """Add a fresh key and make it current; return its version. Old keys stay readable."""
    content = json.loads(path.read_text())
    version = max(int(name) for name in content["keys"]) + 1
    content["keys"][str(version)] = _new_key()
    content["current"] = str(version)
    _write(path, content)
    _loaded.pop(path, None)
    return version


def drop_keys(path: Path, *, keep: int) -> None:
    """Forget every key but `keep`; call only when no value is encrypted with the others."""
    content = json.loads(path.read_text())
    content["keys"] = {str(keep): content["keys"][str(keep)]}
    _write(path, content)
    _loaded.pop(path, None)


_loaded: dict[Path, tuple[Keyring, tuple[int, int], float]] = {}


def load(path: Path, *, afresh: bool = False) -> Keyring:
    """Return the key ring; raise `KeyringBroken` when the file cannot serve.

    Once a second the file is looked at again, so that a rotation reaches running processes. A
    process keeps the keys that it has seen: what it read or began before a rotation still opens.
    """
    known = _loaded.get(path)
    moment = time.monotonic()
    if known is not None and not afresh and known[2] > moment:
        return known[0]
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
    except OSError as fault:
        raise KeyringBroken(f"the key file {path} cannot be read: {fault.strerror}") from fault
    if known is not None and known[1] == stamp:
        ring = known[0]
    else:
        ring = _read(path)
        if known is not None:
            ring = replace(ring, keys={**known[0].keys, **ring.keys})
    _loaded[path] = (ring, stamp, moment + LOOK_AGAIN_SECONDS)
    return ring


def _read(path: Path) -> Keyring:
    try:
        content = json.loads(path.read_text())
        keys = {int(name): base64.b64decode(key) for name, key in content["keys"].items()}
        ring = Keyring(
            current=int(content["current"]),
            keys=keys,
            index_key=base64.b64decode(content["index"]),
        )
    except OSError as fault:
        raise KeyringBroken(f"the key file {path} cannot be read: {fault.strerror}") from fault
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise KeyringBroken(f"the key file {path} is damaged") from fault
    if ring.current not in keys or any(
        len(k) != KEY_BYTES for k in (*keys.values(), ring.index_key)
    ):
        raise KeyringBroken(f"the key file {path} is damaged: it holds no usable key")
    return ring
