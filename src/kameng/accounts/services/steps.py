"""Steps that have begun: between a right password and the second factor, or a passkey's challenge.

Ten minutes, bound to the site and a purpose, finished once even by parallel answers.
"""

import datetime as dt
from typing import Any

from kameng.accounts import errors
from kameng.accounts.models import PendingStep
from kameng.accounts.rules import STEP_SECONDS
from kameng.core import clock
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import platform_scope, require_site_id

SECOND, SIGN_IN, REGISTER, CONFIRM = "second", "sign_in", "register", "confirm"


def begin_step(
    purpose: str, *, user_id: int | None = None, state: dict[str, Any] | None = None
) -> str:
    """Begin a step on the site in force; return its token, which is stored nowhere."""
    token = new_token()
    PendingStep.objects.create(
        site_id=require_site_id(),
        token_digest=token_digest(token),
        purpose=purpose,
        user_id=user_id,
        state=state or {},
        expires_at=clock.now() + dt.timedelta(seconds=STEP_SECONDS),
    )
    return token


def get_step(token: str, *, purpose: str) -> PendingStep:
    """Return a step that is still open. Raises `StepOver`."""
    step: PendingStep | None = PendingStep.objects.filter(
        token_digest=token_digest(token), purpose=purpose, expires_at__gt=clock.now()
    ).first()
    if step is None:
        raise errors.StepOver
    return step


def take_step(token: str, *, purpose: str) -> PendingStep:
    """Return an open step and end it: of parallel calls one gets it. Raises `StepOver`.

    The row is removed by one DELETE, which waits for another's and then finds nothing.
    """
    step = get_step(token, purpose=purpose)
    if not PendingStep.objects.filter(token_digest=step.token_digest).delete()[0]:
        raise errors.StepOver
    return step


def sweep_steps() -> int:
    """Delete steps that have run out; return how many rows."""
    with platform_scope("sweep ended steps"):
        return int(PendingStep.unscoped.filter(expires_at__lt=clock.now()).delete()[0])
