"""Fixtures of the provider tests: each gateway's case, a simulator, a shop."""

from collections.abc import Iterator

import pytest

from kameng.payments.providers import calling
from tests.providers.cases import ACCOUNTS, FORM_KINDS, Case, make_case
from tests.providers.world import Shop, World, open_shop, open_world


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody hear that all places are taken only because the machine is busy."""
    monkeypatch.setattr(calling, "PATIENCE_SECONDS", 60)


@pytest.fixture(params=ACCOUNTS)
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)


@pytest.fixture(params=FORM_KINDS)
def form_case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def shop() -> Iterator[Shop]:
    with open_shop() as running:
        yield running
