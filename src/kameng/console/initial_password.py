"""The first password of a member of staff: made by chance, shown once, stored only as a hash."""

import secrets
from typing import Final

# Without the signs that people mistake for one another when they read them aloud.
_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4


def make_initial_password() -> str:
    """Return four groups of four signs: 79 bits, easy to read over a telephone."""
    groups = ("".join(secrets.choice(_SIGNS) for _sign in range(4)) for _group in range(_GROUPS))
    return "-".join(groups)
