"""Array literals: what PostgreSQL reads back is what went in."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kameng.core.arrays import array_of_bytes, array_of_numbers, array_of_texts
from kameng.core.database import fetch

MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXTS = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]))


def read(literal: str, kind: str) -> list[object]:
    """Return the elements as the server sees them."""
    rows = fetch(
        f"select u from unnest(%s::{kind}[]) with ordinality as t(u, k) order by k", (literal,)
    )
    return [row[0] for row in rows]


@MANY
@given(values=st.lists(st.none() | TEXTS))
def test_texts_come_back(db: None, values: list[str | None]) -> None:
    assert read(array_of_texts(values), "text") == values


@MANY
@given(values=st.lists(st.none() | st.binary()))
def test_bytes_come_back(db: None, values: list[bytes | None]) -> None:
    assert [v if v is None else bytes(v) for v in read(array_of_bytes(values), "bytea")] == values  # type: ignore[call-overload]


@MANY
@given(values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_numbers_come_back(db: None, values: list[int | None]) -> None:
    assert read(array_of_numbers(values), "bigint") == values


@pytest.mark.parametrize("text", ['","', "{a,b}", "null", "NULL", "\\", '\\"', "'", "%s", "\n\t"])
def test_what_looks_like_syntax_is_text(db: None, text: str) -> None:
    assert read(array_of_texts([text, None, text]), "text") == [text, None, text]
