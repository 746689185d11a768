"""Calls outside: a gateway that hangs holds a few threads of a process and never all of them."""

import threading
from typing import Any

import pytest

from kameng.core.http import HttpRequest
from kameng.payments.providers import calling
from kameng.payments.providers.port import ProviderUncertain

ASK = HttpRequest(method="GET", url="https://pay.example.com/")


class Hanging:
    """A client whose gateway answers when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = threading.Semaphore(0)

    def send(self, _request: HttpRequest) -> bytes:
        self.inside.release()
        assert self.go.wait(60)
        return b"late"


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    monkeypatch.setattr(calling, "PATIENCE_SECONDS", 0)
    return Hanging()


def test_one_too_many_hears_at_once_and_is_not_sent(hanging: Hanging) -> None:
    client: Any = hanging
    held = [
        threading.Thread(target=calling.call, args=(client, ASK), daemon=True)
        for _ in range(calling.CALLS_AT_ONCE)
    ]
    for thread in held:
        thread.start()
    for _ in held:
        assert hanging.inside.acquire(timeout=60)

    with pytest.raises(ProviderUncertain) as refused:
        calling.call(client, ASK)

    assert refused.value.code == "busy"
    hanging.go.set()
    for thread in held:
        thread.join(60)
    assert calling.call(client, ASK) == b"late"


def test_a_place_is_given_back_after_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def send(self, _request: HttpRequest) -> bytes:
            raise ValueError("defect")

    client: Any = Failing()
    for _ in range(calling.CALLS_AT_ONCE * 2):
        with pytest.raises(ValueError, match="defect"):
            calling.call(client, ASK)
