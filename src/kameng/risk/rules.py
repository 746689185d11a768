"""The limits, each in one line: how many, in how long. Pure; numbers only.

Chosen so that a person in a hurry never meets one, several buyers behind one address seldom do,
and a script soon does.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `hits` in `seconds`."""

    hits: int
    seconds: int


SIGN_IN_BY_ACCOUNT = Limit(10, 900)
SIGN_IN_BY_IP = Limit(40, 900)
SIGN_IN_BY_SITE = Limit(600, 60)  # a guess spread over many accounts and addresses
KNOWN_LINE_SECONDS = 30 * 86_400  # a line from which an account signed in counts by itself
REGISTER_BY_IP = Limit(20, 3600)
CODE_BY_CONTACT_MINUTE = Limit(1, 60)
CODE_BY_CONTACT_DAY = Limit(10, 86_400)
CODE_BY_IP = Limit(20, 3600)
CODE_TRY_BY_IP = Limit(30, 600)
LINK_TRY_BY_IP = Limit(30, 600)  # wrong ones only
FORGED_CALLBACK_BY_IP = Limit(60, 60)  # refused ones; a gateway under load is never turned away
PASSWORD_BY_PERSON = Limit(10, 900)
SECOND_STEP_BY_PERSON = Limit(10, 900)  # codes of an app or from paper, wrong or right
PASSKEY_BY_IP = Limit(60, 900)  # challenges asked for at the sign-in page
JOIN_BY_IP = Limit(20, 900)
TOP_UP_BY_PERSON = Limit(20, 3600)  # each one is asked about at its gateway for more than a day
EXPORT_BY_PERSON = Limit(30, 600)  # each may read a hundred thousand rows

# In-process windows of one worker: the true limit is this times the number of workers.
ORDERS_BY_PERSON = Limit(30, 60)
ORDERS_BY_SITE = Limit(300_000, 60)
WINDOW_KEYS = 20_000
"""How many people and addresses one worker keeps in view; the ones quiet longest are forgotten."""
