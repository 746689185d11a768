"""The words for every place where a payout stands for its receiver."""

import datetime as dt

import pytest

from kameng.settlement.models import Withdrawal
from kameng.settlement.rules import Receipt
from kameng.settlement.services.receiving import Receiving
from kameng.web.receiving import tell

NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("receipt", list(Receipt))
def test_every_place_has_its_words(receipt: Receipt) -> None:
    row = Withdrawal(withdrawal_no="1")
    told = tell(Receiving(withdrawal=row, receipt=receipt, until=NOW, token="t" * 32))

    assert told.title
    assert told.text or receipt == Receipt.OPEN


def test_a_receiver_is_printed_without_the_token() -> None:
    row = Withdrawal(withdrawal_no="1")
    shown = Receiving(withdrawal=row, receipt=Receipt.OPEN, until=NOW, token="secret-token")

    assert "secret-token" not in repr(shown)
