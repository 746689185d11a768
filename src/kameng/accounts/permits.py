"""The permit to try a sign-in: proof that the throttle was asked.

`risk` stands above this app and counts attempts; a sign-in cannot be called without what it
returns. Only `risk.services.admit_sign_in` makes one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPermit:
    """One attempt to sign in, counted: where, as whom (as typed), from where."""

    site_id: int
    login: str
    ip: str
    agent: str = ""
