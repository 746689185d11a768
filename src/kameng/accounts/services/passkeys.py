"""Passkeys of members of staff: adding, naming, removing, and proving a person by one.

A challenge is used once (`services.steps`). A device that counts must count up: a counter that
went back is a copy, and is refused and audited.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from kameng.accounts import errors
from kameng.accounts.models import Passkey, PendingStep, User
from kameng.accounts.passkeys import (
    PasskeyAnswerWrong,
    Place,
    ask_proof,
    ask_registration,
    name_credential,
    read_proof,
    read_registration,
    user_handle,
)
from kameng.accounts.rules import PASSKEYS_MOST, clean_nickname
from kameng.accounts.services.second_factors import (
    clear_leftovers,
    first_recovery_codes,
    keep_a_factor,
    lock_user,
    note_change,
)
from kameng.accounts.services.steps import REGISTER, begin_step, take_step
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import current_scope

__all__ = [
    "Asked",
    "add_passkey",
    "ask_for_passkey",
    "begin_passkey",
    "drop_passkey",
    "prove_passkey",
    "rename_passkey",
    "user_handle",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to a browser: the token of its step and the options of WebAuthn."""

    step_token: str
    options: dict[str, Any]


def begin_passkey(user_id: int, *, place: Place) -> Asked:
    """Begin to add a passkey for a host. Raises `UserNotFound`, `PasskeysFull`."""
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise errors.UserNotFound
    if Passkey.objects.filter(user_id=user_id).count() >= PASSKEYS_MOST:
        raise errors.PasskeysFull(most=PASSKEYS_MOST)
    options, state = ask_registration(
        place,
        user_id=user_id,
        login=user.login,
        display_name=user.display_name,
        known=_known(user_id, place),
    )
    return Asked(step_token=begin_step(REGISTER, user_id=user_id, state=state), options=options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a browser sends back for a new passkey, and what its owner calls it."""

    step_token: str
    answer: Mapping[str, Any]
    name: str


def add_passkey(
    user_id: int, *, place: Place, registration: Registration, actor: Actor
) -> list[str]:
    """Keep a new passkey; return fresh recovery codes if there were none.

    Raises `StepOver`, `PasskeyWrong`, `PasskeysFull`, `PasskeyTaken`.
    """
    step = take_step(registration.step_token, purpose=REGISTER)
    if step.user_id != user_id:
        raise errors.StepOver
    try:
        new = read_registration(place, state=step.state, answer=registration.answer)
    except PasskeyAnswerWrong as fault:
        raise errors.PasskeyWrong from fault
    with transaction.atomic():
        lock_user(user_id)
        if Passkey.objects.filter(user_id=user_id).count() >= PASSKEYS_MOST:
            raise errors.PasskeysFull(most=PASSKEYS_MOST)
        try:
            with transaction.atomic():
                Passkey.objects.create(
                    user_id=user_id,
                    credential_id=new.credential_id,
                    credential=new.credential,
                    rp_id=place.rp_id,
                    name=clean_nickname(registration.name) or place.rp_id[:40],
                    sign_count=new.sign_count,
                )
        except IntegrityError as fault:
            raise errors.PasskeyTaken from fault
        note_change(user_id, action="staff.passkey.added", what="passkey_on", actor=actor)
        return first_recovery_codes(user_id)


def rename_passkey(user_id: int, *, passkey_id: int, name: str) -> None:
    """Give one's passkey another name. Raises `PasskeyNotFound`, `NicknameInvalid`."""
    cleaned = clean_nickname(name)
    if not cleaned:
        raise errors.NicknameInvalid
    mine = Passkey.objects.filter(id=passkey_id, user_id=user_id)
    if not mine.update(name=cleaned):
        raise errors.PasskeyNotFound


def drop_passkey(user_id: int, *, passkey_id: int, is_needed: bool, actor: Actor) -> None:
    """Remove one's passkey. Raises `PasskeyNotFound`, `SecondFactorKept` for the last that must be.

    `is_needed`: the person's role must keep a second factor.
    """
    with transaction.atomic():
        lock_user(user_id)
        keep_a_factor(user_id, is_needed=is_needed, without_passkey_id=passkey_id)
        if not Passkey.objects.filter(id=passkey_id, user_id=user_id).delete()[0]:
            raise errors.PasskeyNotFound
        note_change(user_id, action="staff.passkey.removed", what="passkey_off", actor=actor)
        clear_leftovers(user_id)


def ask_for_passkey(purpose: str, *, place: Place, user_id: int | None) -> Asked:
    """Ask a browser for a passkey: one of the person's, or any that it has for this host."""
    known = None if user_id is None else _known(user_id, place)
    options, state = ask_proof(place, known=known)
    return Asked(step_token=begin_step(purpose, user_id=user_id, state=state), options=options)


def prove_passkey(step: PendingStep, *, place: Place, answer: Mapping[str, Any]) -> User:
    """Return the person whom an answer to a step proves. The step was taken by the caller.

    Raises `PasskeyWrong`, whatever was wrong: unknown, of another, not verified, a copy.
    """
    try:
        credential_id = name_credential(answer)
        row = (
            Passkey.objects.filter(credential_id=credential_id, rp_id=place.rp_id)
            .select_related("user")
            .first()
        )
        if row is None or not row.user.is_active or step.user_id not in {None, row.user_id}:
            raise errors.PasskeyWrong
        counter = read_proof(
            place, state=step.state, answer=answer, credential=bytes(row.credential)
        )
    except PasskeyAnswerWrong as fault:
        raise errors.PasskeyWrong from fault
    if not count_up(row.id, counter=counter):
        _note_copy(row)
        raise errors.PasskeyWrong
    return row.user


def count_up(passkey_id: int, *, counter: int) -> bool:
    """Keep the counter of a proof; False when it did not grow: one conditional UPDATE.

    A device that does not count says 0 for ever.
    """
    grows = Q(sign_count__lt=counter) | (Q(sign_count=0) if counter == 0 else Q(pk__in=[]))
    rows = Passkey.objects.filter(grows, id=passkey_id)
    return bool(rows.update(sign_count=counter, last_used_at=clock.now()))


def _note_copy(row: Passkey) -> None:
    with transaction.atomic():
        record(
            "staff.passkey.copied",
            actor=Actor(kind="user", actor_id=row.user_id, name=row.user.display_name),
            site_id=current_scope().site_id,
            subject=("user", row.user_id),
            detail={"name": row.name},
        )


def _known(user_id: int, place: Place) -> list[bytes]:
    rows = Passkey.objects.filter(user_id=user_id, rp_id=place.rp_id).order_by("id")
    return [bytes(credential) for credential in rows.values_list("credential", flat=True)]
