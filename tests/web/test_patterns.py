"""Patterns as browsers read them: nothing they would refuse, nothing that asks for more."""

import pytest

from kameng.catalog.inputs import InputField, is_safe_pattern
from kameng.web.patterns import for_browser
from kameng.web.slots import Slot

TOLD = {
    "": "",
    "[1-9][0-9]{4,10}": "[1-9][0-9]{4,10}",
    # In the `v` mode a class may not hold these as they are.
    "[A-Za-z0-9._-]{3,30}": r"[A-Za-z0-9\._\-]{3,30}",
    "[0-9A-Za-z-]{7,24}": r"[0-9A-Za-z\-]{7,24}",
    "[^/&|]+": r"[^\/\&\|]+",
    "[-a]": r"[\-a]",
    "[a-c-e]": r"[a-c\-e]",
    "[{}&]{2}": r"[\{\}\&]{2}",
    # Nor may an escape that is not needed stand.
    r"a\@b\.c\-d": r"a@b\.c-d",
    r"[\_\@]": r"[_\@]",
    # Python's kinds know Chinese.
    r"\w{2,20}": r"[\p{L}\p{N}_]{2,20}",
    r"[\w.]+": r"[\p{L}\p{N}_\.]+",
    r"\d{5}": r"\p{Nd}{5}",
    "[一-龥]{2,8}": "[一-龥]{2,8}",
    # What only Python understands is left to the server.
    r"\Aabc": "",
    r"[\W]": "",
    "a{x": "",
    "a{,5}": "",
}


@pytest.mark.parametrize(("pattern", "told"), TOLD.items())
def test_a_pattern_is_told_as_browsers_read_it(pattern: str, told: str) -> None:
    assert is_safe_pattern(pattern)
    assert for_browser(pattern) == told


def test_a_field_shows_the_pattern_of_browsers() -> None:
    field = InputField(name="account", label="账号", pattern="[a-z._-]{3,30}")

    assert Slot(field=field, name="field_account", value="").pattern == r"[a-z\._\-]{3,30}"
