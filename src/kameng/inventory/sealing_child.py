"""The process beside an import of keys: reads the file, answers each request with one frame.

Started as `python -m kameng.inventory.sealing_child` with what it reads as arguments; the key ring
is read from its file and never passed. Ends when its input ends, so it does not outlive the parent.
"""

import json
import struct
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

SEAL: Final = b"S"
CHECK: Final = b"C"
_REQUEST: Final = struct.Struct(">cI")
_HEAD: Final = struct.Struct(">I")


class FileRefused(RuntimeError):
    """The file cannot be read; `code` and `params` are those of the problem."""

    def __init__(self, code: str, params: dict[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def send_request(pipe: IO[bytes], *, mode: bytes, count: int, ids: Sequence[int] = ()) -> None:
    """Ask for the next frame: of at most `count` records, or of as many keys as there are ids."""
    pipe.write(_REQUEST.pack(mode, count) + array("q", ids).tobytes())
    pipe.flush()


def receive_frame(pipe: IO[bytes]) -> dict[str, Any]:
    """Read one frame as plain values; raise `FileRefused`, or `EOFError` when the child is gone."""
    head = json.loads(_read(pipe, _HEAD.unpack(_read(pipe, _HEAD.size))[0]))
    if "refused" in head:
        raise FileRefused(head["refused"], head["params"])
    key_count, lengths = head.pop("key_count"), array("I")
    line_nos, digests = array("I"), _read(pipe, 16 * key_count)
    line_nos.frombytes(_read(pipe, 4 * key_count))
    lengths.frombytes(_read(pipe, 4 * head.pop("secret_count")))
    secrets = _read(pipe, sum(lengths))
    ends, start = [], 0
    for length in lengths:
        ends.append((start, start + length))
        start += length
    head["line_nos"] = line_nos.tolist()
    head["digests"] = [digests[place : place + 16] for place in range(0, len(digests), 16)]
    head["secrets"] = [secrets[begin:end] for begin, end in ends]
    head["counts"], head["notes"] = Counter(head["counts"]), Counter(head["notes"])
    return dict(head)


def _read(pipe: IO[bytes], count: int) -> bytes:
    data = pipe.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _requests(pipe: IO[bytes]) -> Iterator[tuple[bytes, int, list[int]]]:
    while len(head := pipe.read(_REQUEST.size)) == _REQUEST.size:
        mode, count = _REQUEST.unpack(head)
        ids = array("q")
        if mode == SEAL:
            ids.frombytes(_read(pipe, 8 * count))
        yield mode, count, ids.tolist()


def _reply(pipe: IO[bytes], head: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
    text = json.dumps(head).encode()
    pipe.write(_HEAD.pack(len(text)) + text)
    for part in parts:
        pipe.write(part)
    pipe.flush()


def _serve(arguments: Sequence[str]) -> None:
    from django.conf import settings

    path, site_id, fmt, skip_count, keyring_path = arguments
    settings.configure(KEYRING_PATH=Path(keyring_path))
    from kameng.catalog.uploads import UploadMissing
    from kameng.core.tabular import TableUnreadable
    from kameng.inventory import sealing
    from kameng.inventory.parsing import KeyFormat

    source = sealing.KeyFile(path=path, site_id=int(site_id), fmt=KeyFormat(fmt))
    output = sys.stdout.buffer
    try:
        records, problems = sealing.read_records(source)
        sealing.skip_records(records, count=int(skip_count))
        for mode, count, ids in _requests(sys.stdin.buffer):
            if mode == SEAL:
                frame = sealing.seal_frame(records, site_id=source.site_id, ids=ids)
            else:
                frame = sealing.check_frame(records, site_id=source.site_id, limit=count)
                sealing.describe_file(frame, problems)
            head = {
                "key_count": len(frame.digests),
                "secret_count": len(frame.secrets),
                "record_count": frame.record_count,
                "counts": frame.counts,
                "notes": frame.notes,
                "problems": frame.problems,
                "samples": frame.samples,
                "file_problems": frame.file_problems,
                "is_last": frame.is_last,
                "ids": frame.ids,
            }
            lengths = array("I", map(len, frame.secrets)).tobytes()
            line_nos = array("I", frame.line_nos).tobytes()
            parts = [b"".join(frame.digests), line_nos, lengths, b"".join(frame.secrets)]
            _reply(output, head, parts)
    except TableUnreadable as fault:
        _reply(output, {"refused": fault.problem.code, "params": fault.problem.params})
    except UploadMissing:
        _reply(output, {"refused": "upload_missing", "params": {}})


if __name__ == "__main__":
    _serve(sys.argv[1:])
