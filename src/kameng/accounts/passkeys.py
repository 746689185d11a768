"""Passkeys (WebAuthn): what a browser is asked, and whether its answer proves the person.

Nothing is stored here. The person is always verified by the device (PIN, finger, face), passkeys
are discoverable, and the answer must come from the very origin of the console. Attestation is not
asked for: which make a device is of is nobody's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from kameng.core.crypto import blind_digest

REQUIRED = UserVerificationRequirement.REQUIRED


class PasskeyAnswerWrong(ValueError):
    """An answer that proves nothing: malformed, of another host, not verified, forged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where passkeys are used: the host without its port, and the whole origin."""

    rp_id: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """What a device answered to a registration."""

    credential_id: bytes
    credential: bytes
    sign_count: int


def user_handle(user_id: int) -> bytes:
    """Return the opaque name under which a device keeps a person's passkeys."""
    return blind_digest(str(user_id).encode(), domain="passkey_user")


def ask_registration(
    place: Place, *, user_id: int, login: str, display_name: str, known: Sequence[bytes]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (options for the browser, state to keep) of a new passkey.

    `known` are the credentials that the person has here: a device that holds one is left out.
    """
    options, state = _server(place).register_begin(
        PublicKeyCredentialUserEntity(
            id=user_handle(user_id), name=login, display_name=display_name
        ),
        credentials=[AttestedCredentialData(each) for each in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=REQUIRED,
    )
    return dict(options), dict(state)


def read_registration(
    place: Place, *, state: Mapping[str, Any], answer: Mapping[str, Any]
) -> NewPasskey:
    """Return the passkey that a browser made. Raises `PasskeyAnswerWrong`."""
    try:
        data = _server(place).register_complete(
            dict(state), RegistrationResponse.from_dict(dict(answer))
        )
        credential = data.credential_data
    except Exception as fault:
        # The library parses what strangers send, and fails in many ways at what is malformed.
        raise PasskeyAnswerWrong(type(fault).__name__) from fault
    if credential is None:
        raise PasskeyAnswerWrong("no credential")
    return NewPasskey(
        credential_id=bytes(credential.credential_id),
        credential=bytes(credential),
        sign_count=data.counter,
    )


def ask_proof(
    place: Place, *, known: Sequence[bytes] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (options, state) of a proof: by one of `known`, or (None) by whatever a device has."""
    credentials = None if known is None else [AttestedCredentialData(each) for each in known]
    options, state = _server(place).authenticate_begin(
        credentials=credentials, user_verification=REQUIRED
    )
    return dict(options), dict(state)


def name_credential(answer: Mapping[str, Any]) -> bytes:
    """Return the id of the passkey that an answer claims to be of. Raises `PasskeyAnswerWrong`."""
    try:
        return bytes(AuthenticationResponse.from_dict(dict(answer)).raw_id)
    except Exception as fault:  # as above: any shape may come
        raise PasskeyAnswerWrong(type(fault).__name__) from fault


def read_proof(
    place: Place, *, state: Mapping[str, Any], answer: Mapping[str, Any], credential: bytes
) -> int:
    """Return the counter of a proof that holds for this passkey. Raises `PasskeyAnswerWrong`."""
    try:
        parsed = AuthenticationResponse.from_dict(dict(answer))
        _server(place).authenticate_complete(
            dict(state), [AttestedCredentialData(credential)], parsed
        )
        return int(parsed.response.authenticator_data.counter)
    except Exception as fault:  # as above: any shape may come
        raise PasskeyAnswerWrong(type(fault).__name__) from fault


def _server(place: Place) -> Fido2Server:
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=place.rp_id, name=place.name),
        verify_origin=lambda origin: origin == place.origin,
    )
