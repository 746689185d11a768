"""The second factor: an app whose codes count once, recovery codes, and losing it all."""

import pytest
import time_machine

from kameng.accounts import errors, selectors, totp
from kameng.accounts.models import Device, Passkey, RecoveryCode, Session, Totp
from kameng.accounts.passkeys import Place
from kameng.accounts.services import second_factors
from kameng.accounts.services.passkeys import (
    Registration,
    add_passkey,
    ask_for_passkey,
    begin_passkey,
    drop_passkey,
    prove_passkey,
)
from kameng.accounts.services.steps import CONFIRM, SIGN_IN, take_step
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.crypto import CipherBroken, binding, decrypt
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.passkey_device import Device as Hardware
from tests.people import Staff

LIN = Actor(kind="user", actor_id=1, name="Lin", ip="192.0.2.7")
HERE = Place(rp_id="a.localhost", origin="http://a.localhost", name="A")


def code_of(user_id: int, *, later: int = 0) -> str:
    """Return what the app of a person shows now, or some steps later."""
    row = Totp.objects.get(user_id=user_id)
    secret = decrypt(bytes(row.secret_cipher), binding(0, "totp", user_id))
    return totp.code_at(secret, step=int(clock.now().timestamp()) // totp.STEP + later)


def switch_on(user_id: int) -> list[str]:
    """Set an app up; return the recovery codes."""
    second_factors.begin_totp(user_id, issuer="A")
    return second_factors.confirm_totp(user_id, code=code_of(user_id), actor=LIN)


def add_key(user_id: int, hardware: Hardware, *, place: Place = HERE) -> list[str]:
    """Add a passkey; return the recovery codes."""
    asked = begin_passkey(user_id, place=place)
    wish = Registration(
        step_token=asked.step_token, answer=hardware.register(asked.options), name="手机"
    )
    return add_passkey(user_id, place=place, registration=wish, actor=LIN)


def test_an_app_counts_from_its_first_right_code(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        second_factors.begin_totp(lin.user.id, issuer="A")
        assert not second_factors.has_second_factor(lin.user.id)
        with pytest.raises(errors.SecondFactorWrong):
            second_factors.confirm_totp(lin.user.id, code="000000x", actor=LIN)

        codes = second_factors.confirm_totp(lin.user.id, code=code_of(lin.user.id), actor=LIN)

        assert second_factors.has_second_factor(lin.user.id)
        assert len(codes) == len(set(codes)) == 10
        with pytest.raises(errors.TotpOn):
            second_factors.begin_totp(lin.user.id, issuer="A")


def test_the_set_up_page_may_be_loaded_again(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        first = second_factors.begin_totp(lin.user.id, issuer="A")
        assert second_factors.begin_totp(lin.user.id, issuer="A") == first


def test_secrets_are_encrypted_and_recovery_codes_digests(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        setup = second_factors.begin_totp(lin.user.id, issuer="A")
        codes = switch_on(lin.user.id)

    row = Totp.objects.get()
    kept = bytes(row.secret_cipher)
    secret = decrypt(kept, binding(0, "totp", lin.user.id))
    assert totp.secret_text(secret) == setup.text
    assert secret not in kept
    with pytest.raises(CipherBroken):
        decrypt(kept, binding(0, "totp", lin.user.id + 1))
    digests = {bytes(each.code_digest) for each in RecoveryCode.objects.all()}
    assert not {code.replace("-", "").encode() for code in codes} & digests
    assert {len(each) for each in digests} == {16}


def test_a_code_counts_once_and_none_before_it(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        switch_on(lin.user.id)  # uses this step up
        same, following = code_of(lin.user.id), code_of(lin.user.id, later=1)
        with pytest.raises(errors.SecondFactorWrong):
            second_factors.use_code(lin.user.id, code=same, actor=LIN)

        assert second_factors.use_code(lin.user.id, code=following, actor=LIN) == "totp"

        with pytest.raises(errors.SecondFactorWrong):
            second_factors.use_code(lin.user.id, code=following, actor=LIN)


def test_a_recovery_code_counts_once_however_it_is_typed(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        codes = switch_on(lin.user.id)

        typed = f" {codes[0].upper().replace('-', ' ')} "
        assert second_factors.use_code(lin.user.id, code=typed, actor=LIN) == "recovery"

        for wrong in (codes[0], "aaaaa-bbbbb", "", "１２３４５６"):
            with pytest.raises(errors.SecondFactorWrong):
                second_factors.use_code(lin.user.id, code=wrong, actor=LIN)
        assert selectors.view_factors(lin.user.id).codes_left == 9


def test_new_recovery_codes_void_the_old(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        old = switch_on(lin.user.id)
        new = second_factors.renew_recovery_codes(lin.user.id, actor=LIN)

        assert not set(old) & set(new)
        with pytest.raises(errors.SecondFactorWrong):
            second_factors.use_code(lin.user.id, code=old[1], actor=LIN)
        assert second_factors.use_code(lin.user.id, code=new[1], actor=LIN) == "recovery"


def test_codes_of_one_person_are_nothing_to_another(site_a: Site, lin: Staff, wei: Staff) -> None:
    with site_scope(site_a.id):
        codes = switch_on(lin.user.id)
        switch_on(wei.user.id)

        with pytest.raises(errors.SecondFactorWrong):
            second_factors.use_code(wei.user.id, code=codes[0], actor=LIN)


def test_the_last_factor_takes_codes_and_trust_with_it(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        switch_on(lin.user.id)
        Device.objects.create(
            site_id=site_a.id,
            user_id=lin.user.id,
            token_digest=b"d" * 32,
            trusted_until=clock.now().replace(year=2099),
        )

        with pytest.raises(errors.SecondFactorKept):
            second_factors.drop_totp(lin.user.id, is_needed=True, actor=LIN)
        second_factors.drop_totp(lin.user.id, is_needed=False, actor=LIN)

        assert RecoveryCode.objects.count() == 0
        assert Device.objects.get().trusted_until is None


def test_a_reset_takes_everything_and_ends_every_session(
    site_a: Site, site_b: Site, lin: Staff, wei: Staff
) -> None:
    with site_scope(site_a.id):
        switch_on(lin.user.id)
        add_key(lin.user.id, Hardware())
        switch_on(wei.user.id)
    for site, user in ((site_a, lin.user), (site_b, lin.user), (site_b, wei.user)):
        with site_scope(site.id):
            Session.objects.create(
                site_id=site.id,
                user=user,
                token_digest=bytes([user.id % 250, site.id % 250]) * 16,
                expires_at=clock.now().replace(year=2099),
            )

    with site_scope(site_a.id):
        second_factors.reset_second_factor(lin.user.id, actor=LIN)

    assert not second_factors.has_second_factor(lin.user.id)
    assert second_factors.has_second_factor(wei.user.id)
    with platform_scope("look"):
        assert [row.user_id for row in Session.unscoped.all()] == [wei.user.id]
        actions = AuditEntry.objects.filter(subject_id=str(lin.user.id)).order_by("id")
        assert actions.last().action == "staff.second_factor.reset"


def test_rotation_reads_secrets_that_it_wrote(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        switch_on(lin.user.id)
        assert sum(second_factors.rotate_second_factors()) == 0  # all is new already
        assert list(second_factors.probe_second_factors()) == [True]


def test_a_passkey_is_added_and_proves_its_person(site_a: Site, lin: Staff) -> None:
    hardware = Hardware()
    with site_scope(site_a.id):
        codes = add_key(lin.user.id, hardware)
        asked = ask_for_passkey(SIGN_IN, place=HERE, user_id=None)
        step = take_step(asked.step_token, purpose=SIGN_IN)

        user = prove_passkey(step, place=HERE, answer=hardware.prove(asked.options))

    assert len(codes) == 10
    assert user.id == lin.user.id
    assert Passkey.objects.get().sign_count == 1
    assert asked.options["publicKey"]["userVerification"] == "required"


@pytest.mark.parametrize(
    "flaw",
    ["origin", "rp", "unverified", "signature", "unknown", "old_challenge", "malformed", "other"],
)
def test_an_answer_that_proves_nothing_is_refused(
    flaw: str, site_a: Site, lin: Staff, wei: Staff
) -> None:
    hardware = Hardware()
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
        user_id = wei.user.id if flaw == "other" else lin.user.id
        asked = ask_for_passkey(CONFIRM, place=HERE, user_id=user_id)
        options = asked.options
        if flaw == "origin":
            hardware.origin = "http://evil.localhost"
        if flaw == "rp":
            hardware.rp_id = "evil.localhost"
        if flaw == "unverified":
            hardware.verifies = False
        if flaw == "old_challenge":
            options = ask_for_passkey(CONFIRM, place=HERE, user_id=user_id).options
        answer = hardware.prove(options)
        if flaw == "signature":
            answer["response"]["signature"] = Hardware().prove(options)["response"]["signature"]
        if flaw == "unknown":
            answer["id"] = answer["rawId"] = "AAAA"
        if flaw == "malformed":
            answer["response"] = {"clientDataJSON": 7}
        step = take_step(asked.step_token, purpose=CONFIRM)

        with pytest.raises(errors.PasskeyWrong):
            prove_passkey(step, place=HERE, answer=answer)

    assert Passkey.objects.get().sign_count == 0


def test_a_counter_that_goes_back_is_a_copy(site_a: Site, lin: Staff) -> None:
    hardware = Hardware()
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
        for count, is_right in ((4, True), (4, False), (2, False), (9, True)):
            hardware.count = count - 1
            asked = ask_for_passkey(CONFIRM, place=HERE, user_id=lin.user.id)
            step = take_step(asked.step_token, purpose=CONFIRM)
            answer = hardware.prove(asked.options)
            if is_right:
                prove_passkey(step, place=HERE, answer=answer)
            else:
                with pytest.raises(errors.PasskeyWrong):
                    prove_passkey(step, place=HERE, answer=answer)

    with platform_scope("look"):
        assert AuditEntry.objects.filter(action="staff.passkey.copied").count() == 2


def test_a_device_that_does_not_count_may_say_nought_for_ever(site_a: Site, lin: Staff) -> None:
    hardware = Hardware(counts=False)
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
        for _time in range(3):
            asked = ask_for_passkey(CONFIRM, place=HERE, user_id=lin.user.id)
            step = take_step(asked.step_token, purpose=CONFIRM)
            prove_passkey(step, place=HERE, answer=hardware.prove(asked.options))


def test_a_challenge_is_answered_once_and_in_time(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        asked = ask_for_passkey(SIGN_IN, place=HERE, user_id=None)
        take_step(asked.step_token, purpose=SIGN_IN)
        with pytest.raises(errors.StepOver):
            take_step(asked.step_token, purpose=SIGN_IN)
        late = ask_for_passkey(SIGN_IN, place=HERE, user_id=None)
        with pytest.raises(errors.StepOver):
            take_step(late.step_token, purpose=CONFIRM)
        with time_machine.travel(clock.now().timestamp() + 700), pytest.raises(errors.StepOver):
            take_step(late.step_token, purpose=SIGN_IN)


def test_a_step_of_one_site_is_nothing_on_another(site_a: Site, site_b: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        asked = ask_for_passkey(SIGN_IN, place=HERE, user_id=None)
    with site_scope(site_b.id), pytest.raises(errors.StepOver):
        take_step(asked.step_token, purpose=SIGN_IN)


def test_a_passkey_is_kept_while_the_role_needs_it(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        add_key(lin.user.id, Hardware())
        key_id = Passkey.objects.get().id
        with pytest.raises(errors.SecondFactorKept):
            drop_passkey(lin.user.id, passkey_id=key_id, is_needed=True, actor=LIN)
        switch_on(lin.user.id)

        drop_passkey(lin.user.id, passkey_id=key_id, is_needed=True, actor=LIN)

    assert Passkey.objects.count() == 0


def test_nobody_removes_the_passkey_of_another(site_a: Site, lin: Staff, wei: Staff) -> None:
    with site_scope(site_a.id):
        add_key(lin.user.id, Hardware())
        key_id = Passkey.objects.get().id
        with pytest.raises(errors.PasskeyNotFound):
            drop_passkey(wei.user.id, passkey_id=key_id, is_needed=False, actor=LIN)

    assert Passkey.objects.count() == 1
