"""Find the built files of the front end.

Owns the reading of manifest.json, which the front-end build writes beside its outputs. Promises
that a name is resolved to the path of the newest build, that the manifest is read again only when
it has changed, and that a missing build is reported in words instead of a page without a look.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MANIFEST_PATH: Final = Path(__file__).parent / "static" / "kameng" / "manifest.json"


class AssetsNotBuilt(RuntimeError):
    """The manifest is missing, or does not list the name asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    modified_ns: int
    paths: dict[str, str]


_loaded: dict[Path, _Manifest] = {}


def load_manifest(path: Path = MANIFEST_PATH, *, is_live: bool = False) -> dict[str, str]:
    """Return name → path under the static prefix.

    The file is read once; with `is_live` (a developer's server) again whenever it has changed.
    Raises AssetsNotBuilt when there is no build.
    """
    known = _loaded.get(path)
    if known is not None and not is_live:
        return known.paths
    try:
        modified_ns = path.stat().st_mtime_ns
        if known is not None and known.modified_ns == modified_ns:
            return known.paths
        paths = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AssetsNotBuilt(
            "The front end is not built: run `npm ci` and `npm run build` in frontend/."
        ) from error
    _loaded[path] = _Manifest(modified_ns=modified_ns, paths=paths)
    return _loaded[path].paths


def get_asset_path(name: str, *, manifest_path: Path = MANIFEST_PATH, is_live: bool = False) -> str:
    """Return the hashed path of an asset, relative to the static prefix; raise AssetsNotBuilt."""
    try:
        return load_manifest(manifest_path, is_live=is_live)[name]
    except KeyError as error:
        raise AssetsNotBuilt(f"The front-end build has no file named {name!r}.") from error
