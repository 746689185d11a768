"""Signing in by two steps, by a passkey alone, and proving oneself again before grave acts."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from kameng.accounts.models import Device as Known
from kameng.accounts.models import Passkey, Role, Session, SiteRole, User
from kameng.console.second_factor_rule import forget_rules
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.risk.rules import SECOND_STEP_BY_PERSON
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.services import change_settings
from kameng.web.cookies import DEVICE_COOKIE, STEP_COOKIE
from tests import people
from tests.accounts.test_second_factors import add_key, code_of, switch_on
from tests.console.pages import address, text_of
from tests.factories import PASSWORD
from tests.passkey_device import Device

ClientFor = Callable[..., Client]
SIGN_IN, SECOND = "/console/sign-in/", "/console/sign-in/second/"
ACTOR = Actor(kind="user", actor_id=1, name="Lin")


@pytest.fixture(autouse=True)
def _fresh_rules() -> None:
    forget_rules()


def give_password(client: Client, login: str = "lin") -> Any:
    return client.post(SIGN_IN, {"login": login, "password": PASSWORD})


def set_up(site: Site, person: people.Staff) -> list[str]:
    with site_scope(site.id):
        return switch_on(person.user.id)


def ask(client: Client, purpose: str) -> dict[str, Any]:
    answer = client.post(reverse("console:begin_passkey"), {"purpose": purpose})
    assert answer.status_code == 200, answer.content
    return answer.json()  # type: ignore[no-any-return]


def proof_of(hardware: Device, asked: dict[str, Any]) -> dict[str, str]:
    return {"passkey_step": asked["step"], "passkey": json.dumps(hardware.prove(asked["options"]))}


def grow_old(site: Site) -> None:
    with site_scope(site.id):
        Session.objects.update(confirmed_at=clock.now() - dt.timedelta(hours=1))


def is_in(client: Client, site: Site) -> bool:
    return client.get(address(site, "account")).status_code == 200


def test_a_password_alone_opens_no_session(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    set_up(site_a, lin)
    client = client_for(site_a)

    answer = give_password(client)

    assert answer["Location"].startswith(SECOND)
    assert settings.SESSION_COOKIE not in client.cookies
    assert not is_in(client, site_a)
    with site_scope(site_a.id):
        assert Session.objects.count() == 0
    wrong = client.post(SECOND, {"code": "000000x"})
    assert (wrong.status_code, "不正确" in text_of(wrong)) == (400, True)
    right = client.post(SECOND, {"code": code_of(lin.user.id, later=1)})
    assert right.status_code == 302
    assert is_in(client, site_a)


def test_a_recovery_code_lets_in_once(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    codes = set_up(site_a, lin)
    client = client_for(site_a)
    for is_right in (True, False):
        client.cookies.clear()
        give_password(client)
        client.post(SECOND, {"code": codes[0]})
        assert is_in(client, site_a) is is_right


def test_the_second_step_needs_the_first(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    set_up(site_a, lin)
    client = client_for(site_a)

    for token in ("", "made up"):
        client.cookies[STEP_COOKIE] = token
        answer = client.post(SECOND, {"code": code_of(lin.user.id, later=1)})
        assert answer["Location"] == SIGN_IN
    assert not is_in(client, site_a)


def test_a_finished_step_opens_nothing_again(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    codes = set_up(site_a, lin)
    client = client_for(site_a)
    give_password(client)
    kept = client.cookies[STEP_COOKIE].value
    client.post(SECOND, {"code": codes[0]})
    client.cookies.clear()
    client.cookies[STEP_COOKIE] = kept

    answer = client.post(SECOND, {"code": codes[1]})

    assert answer["Location"] == SIGN_IN
    assert not is_in(client, site_a)


def test_wrong_codes_are_counted_and_end(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    set_up(site_a, lin)
    client = client_for(site_a)
    give_password(client)

    statuses = [
        client.post(SECOND, {"code": "000000x"}).status_code
        for _ in range(SECOND_STEP_BY_PERSON.hits + 1)
    ]
    late = client.post(SECOND, {"code": code_of(lin.user.id, later=1)})

    assert statuses == [400] * SECOND_STEP_BY_PERSON.hits + [429]
    assert late.status_code == 429
    assert not is_in(client, site_a)


def test_a_remembered_device_leaves_the_step_out_until_it_is_taken_back(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    codes = set_up(site_a, lin)
    client = client_for(site_a)
    give_password(client)
    client.post(SECOND, {"code": codes[0], "remember": "1"})
    known = client.cookies[DEVICE_COOKIE].value

    def comes_back() -> str:
        client.cookies.clear()
        client.cookies[DEVICE_COOKIE] = known
        return str(give_password(client)["Location"])

    assert not comes_back().startswith(SECOND)
    stranger = client_for(site_a)
    assert give_password(stranger)["Location"].startswith(SECOND)
    page = client.get(address(site_a, "account"))
    assert "记住的设备" in text_of(page)
    with site_scope(site_a.id):
        row = Known.objects.exclude(trusted_until=None).get()
        days = (row.trusted_until - clock.now()).days
    assert days in {29, 30}
    handle = bytes(row.token_digest)[:8].hex()
    client.post(address(site_a, "forget_trust"), {"handle": handle})
    assert comes_back().startswith(SECOND)


def test_a_site_may_forbid_remembering(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    with site_scope(site_a.id):
        change_settings(site_id=site_a.id, changes={"remember_device_days": 0}, actor=ACTOR)
    codes = set_up(site_a, lin)
    client = client_for(site_a)
    give_password(client)
    client.post(SECOND, {"code": codes[0], "remember": "1"})

    with site_scope(site_a.id):
        assert Known.objects.get().trusted_until is None


def test_a_passkey_signs_in_without_a_password(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    hardware = Device()
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
    client = client_for(site_a)
    asked = ask(client, "sign_in")
    fields = proof_of(hardware, asked)

    answer = client.post(reverse("console:passkey_sign_in"), fields)

    assert answer.status_code == 302
    assert is_in(client, site_a)
    again = client_for(site_a).post(reverse("console:passkey_sign_in"), fields)
    assert again.status_code == 400


def test_a_passkey_opens_no_site_where_one_has_no_part(
    site_b: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    hardware = Device(origin="http://b.localhost", rp_id="b.localhost")
    with site_scope(site_a.id):
        add_key(lin.user.id, Device())
    Passkey.objects.update(rp_id="b.localhost", credential_id=hardware.credential_id)
    client = client_for(site_b)

    answer = client.post(
        reverse("console:passkey_sign_in"), proof_of(hardware, ask(client, "sign_in"))
    )

    assert answer.status_code == 400
    assert not is_in(client, site_b)


def test_a_passkey_is_the_second_step(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    hardware = Device()
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
    client = client_for(site_a)
    give_password(client)

    client.post(SECOND, proof_of(hardware, ask(client, "second")))

    assert is_in(client, site_a)


@pytest.mark.parametrize("text", ["", "[]", "{}", "x", '{"id": 7}', "[" * 2000])
def test_odd_answers_are_refused(
    text: str, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a)
    asked = ask(client, "sign_in")

    answer = client.post(
        reverse("console:passkey_sign_in"), {"passkey_step": asked["step"], "passkey": text}
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("purpose", ["second", "confirm", "register", "odd"])
def test_strangers_are_asked_for_nothing_of_others(
    purpose: str, site_a: Site, client_for: ClientFor
) -> None:
    answer = client_for(site_a).post(reverse("console:begin_passkey"), {"purpose": purpose})

    assert 400 <= answer.status_code < 500


def test_a_grave_act_asks_for_the_second_factor_and_not_the_password(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    set_up(site_a, lin)
    client = client_for(site_a, lin)
    grow_old(site_a)
    sent = {"login": "sun", "display_name": "小孙", "role": "service"}

    asked = client.post(address(site_a, "staff"), sent)
    by_password = client.post(address(site_a, "staff"), sent | {"confirm_password": PASSWORD})
    assert not User.objects.filter(login="sun").exists()
    right = client.post(
        address(site_a, "staff"), sent | {"confirm_code": code_of(lin.user.id, later=1)}
    )

    assert (asked.status_code, by_password.status_code) == (403, 403)
    assert "confirm_code" in asked.content.decode()
    assert 'value="sun"' in asked.content.decode()
    assert right.status_code == 200
    assert User.objects.filter(login="sun").exists()
    assert client.post(address(site_a, "staff"), sent | {"login": "moon"}).status_code == 200


def test_a_passkey_confirms_a_grave_act(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    hardware = Device()
    with site_scope(site_a.id):
        add_key(lin.user.id, hardware)
    client = client_for(site_a, lin)
    grow_old(site_a)
    old = client.cookies[settings.SESSION_COOKIE].value
    sent = {"login": "sun", "display_name": "小孙", "role": "service"}

    proof = proof_of(hardware, ask(client, "confirm"))
    answer = client.post(address(site_a, "staff"), sent | proof)

    assert answer.status_code == 200
    assert User.objects.filter(login="sun").exists()
    assert client.cookies[settings.SESSION_COOKIE].value != old


def test_a_passkey_of_another_confirms_nothing(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    mine, theirs = Device(), Device()
    other = people.make_operator(site_a, login="sun", name="Sun", role=Role.VIEWER)
    with site_scope(site_a.id):
        add_key(lin.user.id, mine)
        add_key(other.user.id, theirs)
    client = client_for(site_a, lin)
    grow_old(site_a)

    proof = proof_of(theirs, ask(client, "confirm"))
    client.post(address(site_a, "set_role", other.user.id), {"role": "finance"} | proof)

    with site_scope(site_a.id):
        assert SiteRole.objects.get(user=other.user).role == "viewer"


def require(site: Site, *roles: str, day: str = "", is_everywhere: bool = False) -> None:
    changes: dict[str, object] = {"second_factor_roles": list(roles), "second_factor_from": day}
    if is_everywhere:
        changes["second_factor_everywhere"] = True
    with site_scope(site.id):
        change_settings(site_id=site.id, changes=changes, actor=ACTOR)


def test_who_must_have_a_second_factor_gets_no_further_without(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    require(site_a, "owner")
    client = client_for(site_a)
    came = give_password(client)

    assert "setup=1" in came["Location"]
    led = client.get(address(site_a, "staff"))
    assert (led.status_code, "setup=1" in led["Location"]) == (302, True)
    posted = client.post(address(site_a, "staff"), {"login": "sun"})
    assert posted.status_code == 403
    assert is_in(client, site_a)
    assert client.get(address(site_a, "totp")).status_code == 200
    set_up(site_a, lin)
    assert client.get(address(site_a, "staff")).status_code == 200


def test_until_the_day_people_are_led_and_not_stopped(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    require(site_a, "owner", day=(clock.now() + dt.timedelta(days=3)).date().isoformat())
    client = client_for(site_a)

    came = give_password(client)

    assert "setup=1" in came["Location"]
    assert "以后再说" in text_of(client.get(came["Location"]))
    page = client.get(address(site_a, "staff"))
    assert (page.status_code, "必须开启两步验证" in text_of(page)) == (200, True)


def test_other_roles_are_not_asked(site_a: Site, lin: people.Staff, client_for: ClientFor) -> None:
    require(site_a, "finance")

    assert "setup" not in give_password(client_for(site_a))["Location"]


def test_the_main_site_may_ask_it_of_every_site(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    require(main_site, "owner", is_everywhere=True)

    assert "setup=1" in give_password(client_for(site_a))["Location"]


def test_platform_staff_are_asked_on_every_host(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    require(main_site, "platform")

    assert client_for(site_a, ada).get(address(site_a, "goods")).status_code == 302
    assert client_for(main_site, ada).get(address(main_site, "goods")).status_code == 302


def test_the_last_factor_stays_while_the_rule_holds(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    set_up(site_a, lin)
    require(site_a, "owner")

    answer = client_for(site_a, lin).post(address(site_a, "remove_totp"))

    assert answer.status_code == 409
