"""The manifest of the front-end build: found, kept, and missed in words."""

import json
import os
from pathlib import Path

import pytest

from kameng.web.assets import AssetsNotBuilt, get_asset_path, load_manifest


@pytest.fixture
def manifest_path(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"console.css": "kameng/console.1.css"}), encoding="utf-8")
    return path


def _rebuild(path: Path) -> None:
    path.write_text(json.dumps({"console.css": "kameng/console.2.css"}), encoding="utf-8")
    os.utime(path, ns=(1, 1))


def test_name_becomes_the_hashed_path(manifest_path: Path) -> None:
    assert get_asset_path("console.css", manifest_path=manifest_path) == "kameng/console.1.css"


def test_unknown_name_is_refused_by_name(manifest_path: Path) -> None:
    with pytest.raises(AssetsNotBuilt, match="'shop.css'"):
        get_asset_path("shop.css", manifest_path=manifest_path)


def test_missing_build_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(AssetsNotBuilt, match="npm run build"):
        load_manifest(tmp_path / "manifest.json")


def test_manifest_is_read_once(manifest_path: Path) -> None:
    load_manifest(manifest_path)

    _rebuild(manifest_path)

    assert load_manifest(manifest_path)["console.css"] == "kameng/console.1.css"


def test_live_manifest_follows_a_new_build(manifest_path: Path) -> None:
    load_manifest(manifest_path, is_live=True)

    _rebuild(manifest_path)

    assert load_manifest(manifest_path, is_live=True)["console.css"] == "kameng/console.2.css"
