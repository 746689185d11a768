"""A simulator and a shop for each test that asks."""

import pathlib
import shutil
from collections.abc import Iterator

import pytest

from kameng_simulator.app import Simulator
from tests.providers.world import Shop, World, open_shop, open_world


@pytest.fixture(scope="session")
def fresh_home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A home with keys and nothing else: making RSA keys for every test takes half the time."""
    home = tmp_path_factory.mktemp("fresh")
    Simulator(home).store.close()
    return home


@pytest.fixture
def world(fresh_home: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[World]:
    shutil.copytree(fresh_home, tmp_path / "simulator")
    with open_world(tmp_path / "simulator") as running:
        yield running


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as running:
        yield running
