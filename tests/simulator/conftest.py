"""A simulator and a shop for each test that asks."""

import pathlib
from collections.abc import Iterator

import pytest

from tests.providers.world import Shop, World, open_shop, open_world


@pytest.fixture
def world(tmp_path: pathlib.Path) -> Iterator[World]:
    with open_world(tmp_path / "simulator") as running:
        yield running


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as running:
        yield running
