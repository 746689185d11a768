"""AUT-06: an old session alone does not make staff, move balances or touch gateways."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from kameng.accounts.models import Session, SiteRole, User
from kameng.console.urls import site_urls
from kameng.core import clock
from kameng.ledger.selectors import wallet_amount
from kameng.payments.models import Gateway
from kameng.risk.rules import SIGN_IN_BY_ACCOUNT
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.factories import PASSWORD

ClientFor = Callable[..., Client]
INVITATION = {"login": "sun", "display_name": "小孙", "role": "service"}
ASKED = "请确认是您本人"


def grow_old(site: Site) -> None:
    """Let every session of a host be an hour old."""
    with site_scope(site.id):
        Session.objects.update(confirmed_at=clock.now() - dt.timedelta(hours=1))


def carried_by(response: HttpResponse) -> dict[str, str]:
    """Return the hidden fields that a page sends on."""
    page = response.content.decode()
    form = page[page.index('<form class="form"') : page.index('name="confirm_password"')]
    found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
    found.pop("csrfmiddlewaretoken", "")
    return found


def test_an_old_session_is_asked_for_the_password_and_then_does_what_was_sent(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    old = client.cookies[settings.SESSION_COOKIE].value
    grow_old(site_a)

    asked = client.post(address(site_a, "staff"), INVITATION)
    assert asked.status_code == 403
    assert ASKED in text_of(asked)
    assert asked["Cache-Control"] == "no-store"
    assert carried_by(asked) == INVITATION
    assert not User.objects.filter(login="sun").exists()

    done = client.post(
        address(site_a, "staff"), {**carried_by(asked), "confirm_password": PASSWORD}
    )
    assert done.status_code == 200
    assert User.objects.filter(login="sun").count() == 1
    assert client.cookies[settings.SESSION_COOKIE].value != old
    with site_scope(site_a.id):
        assert Session.objects.count() == 1  # the old one has ended

    again = client.post(address(site_a, "staff"), {**INVITATION, "login": "sun2"})
    assert again.status_code == 200
    assert User.objects.filter(login="sun2").exists()


def test_a_wrong_password_does_nothing_and_is_counted(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    grow_old(site_a)
    form = {**INVITATION, "confirm_password": "not the password"}

    answers = [
        client.post(address(site_a, "staff"), form) for _try in range(SIGN_IN_BY_ACCOUNT.hits + 1)
    ]
    locked = client.post(address(site_a, "staff"), {**form, "confirm_password": PASSWORD})

    assert [each.status_code for each in answers] == [400] * SIGN_IN_BY_ACCOUNT.hits + [429]
    assert locked.status_code == 429
    assert "not the password" not in answers[0].content.decode()
    assert carried_by(answers[0]) == INVITATION
    assert not User.objects.filter(login="sun").exists()
    assert client.get(address(site_a, "orders")).status_code == 200  # nobody is thrown out


def test_a_young_session_is_not_asked(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    assert client_for(site_a, lin).post(address(site_a, "staff"), INVITATION).status_code == 200


@pytest.mark.parametrize("name", ["set_role", "renew_password"])
def test_acts_on_staff_are_guarded(
    site_a: Site, lin: people.Staff, client_for: ClientFor, name: str
) -> None:
    client = client_for(site_a, lin)
    other = people.make_operator(site_a, login="other", name="Other", role="viewer")
    before = User.objects.get(login="other").password
    grow_old(site_a)

    asked = client.post(address(site_a, name, other.user.id), {"role": "owner"})

    assert asked.status_code == 403
    assert ASKED in text_of(asked)
    assert "密钥不会写进网页" not in text_of(asked)
    assert User.objects.get(login="other").password == before
    with site_scope(site_a.id):
        assert SiteRole.objects.get(user_id=other.user.id).role == "viewer"


def test_balances_are_guarded(
    site_a: Site, lin: people.Staff, mei: people.Buyer, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    grow_old(site_a)
    form = {"way": "up", "amount": "5.00", "reason": "补", "idempotency_key": "k" * 24}

    asked = client.post(address(site_a, "adjust_wallet", mei.customer.id), form)
    with site_scope(site_a.id):
        before = wallet_amount(mei.customer.id)
    client.post(
        address(site_a, "adjust_wallet", mei.customer.id), {**form, "confirm_password": PASSWORD}
    )

    assert asked.status_code == 403
    with site_scope(site_a.id):
        assert (before, wallet_amount(mei.customer.id)) == (0, 50_000)


def test_sites_are_guarded_on_whatever_host(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    grow_old(main_site)

    asked = client.post(address(main_site, "set_state", site_a.id), {"reason": "欠费"})

    assert asked.status_code == 403
    assert Site.objects.get(id=site_a.id).state == SiteState.OPEN


def test_keys_of_gateways_are_never_written_into_the_page_that_asks(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    grow_old(main_site)
    page = f"{address(main_site, 'new_gateway')}?kind=epay"

    opened = client.get(page)
    sent = client.post(page, {"name": "易支付", "key_key": "s3cret-key-of-the-merchant"})
    confirmed = client.post(page, {"confirm_password": PASSWORD})

    assert opened.status_code == sent.status_code == 403
    assert "s3cret" not in sent.content.decode()
    assert "密钥不会写进网页" in text_of(sent)
    assert (confirmed.status_code, confirmed["Location"]) == (303, page)
    assert 'name="key_key"' in client.get(page).content.decode()
    with site_scope(main_site.id):
        assert not Gateway.objects.exists()


def test_a_program_is_refused_in_json(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    grow_old(site_a)

    answer = client.post(
        address(site_a, "staff"), INVITATION, headers={"Accept": "application/json"}
    )

    assert answer.status_code == 403
    assert answer.json()["code"] == "password_needed"


# Acts that a stolen session alone must not do: the view of each asks who it is.
GRAVE = {
    "staff": [
        *("staff", "set_role", "suspend_member", "renew_password", "reset_factor", "set_active"),
        *("new_role", "role", "remove_role", "invitations", "change_invitation"),
        "end_member_sessions",
    ],
    "safety": ["sign_in_rule", "totp", "remove_totp", "new_passkey", "recovery_codes"],
    "payout accounts": ["new_payout_account", "new_receiver", "remove_account"],
    "withdrawals": ["ask_withdrawal"],
    "gateways": ["new_gateway", "gateway", "set_gateway"],
    "keys": ["card_key"],
    "files": [
        *("export_orders", "export_payments", "export_ledger", "export_customers", "export_wallet"),
        *("export_refunds", "export_disputes", "export_top_ups", "dashboard_file"),
    ],
    "sites": ["new_site", "site", "add_host", "remove_host", "set_state", "plan", "new_plan"],
}


@pytest.mark.parametrize("name", sorted(name for names in GRAVE.values() for name in names))
def test_every_grave_act_asks_who_it_is(
    name: str, main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    grow_old(main_site)
    pattern = next(each for each in _routes() if each.name == name)
    numbers = dict.fromkeys(pattern.pattern.converters, 1)

    asked = client.post(reverse(f"console:{name}", kwargs=numbers | {"site_slug": main_site.slug}))

    assert asked.status_code == 403
    assert ASKED in text_of(asked)


def _routes() -> list[URLPattern]:
    found: list[URLPattern] = []
    waiting: list[URLPattern | URLResolver] = list(site_urls)
    while waiting:
        each = waiting.pop()
        if isinstance(each, URLPattern):
            found.append(each)
        else:
            waiting.extend(each.url_patterns)
    return found
