"""Buttons of one form: a post that names none of them does nothing."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.accounts.selectors import list_staff
from kameng.inventory.models import CardBatch, CardKey, KeyState
from kameng.payments.models import Gateway
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.concurrency.shop import Shop
from tests.console.pages import address

ClientFor = Callable[..., Client]


def state_of_all(main_site: Site, site_a: Site) -> tuple[object, ...]:
    """Return everything that these buttons change."""
    with site_scope(main_site.id):
        keys = CardKey.objects.filter(state=KeyState.UNSOLD).count()
        gateways = list(Gateway.objects.values_list("is_enabled", flat=True))
    with site_scope(site_a.id):
        staff = [(row.user_id, row.role, row.user.is_active) for row in list_staff()]
    return keys, gateways, staff, Site.objects.get(id=site_a.id).state


@pytest.mark.parametrize("action", [None, "", "bogus", "WITHDRAW", "x" * 300])
def test_an_act_that_is_not_named_is_not_done(
    main_site: Site,
    site_a: Site,
    shop: Shop,
    ada: people.Staff,
    lin: people.Staff,
    client_for: ClientFor,
    action: str | None,
) -> None:
    client = client_for(main_site, ada)
    with site_scope(main_site.id):
        batch, gateway = CardBatch.objects.first(), Gateway.objects.first()
    assert batch is not None
    assert gateway is not None
    before = state_of_all(main_site, site_a)
    data = {"reason": "原因"} | ({} if action is None else {"action": action})

    statuses = [
        client.post(address(main_site, "move_batch", batch.id), data).status_code,
        client.post(address(main_site, "set_gateway", gateway.id), data).status_code,
        client.post(address(main_site, "set_state", site_a.id), data).status_code,
        client.post(address(site_a, "set_active", lin.user.id), data).status_code,
        client.post(address(main_site, "list_product", shop.variant.product_id), data).status_code,
    ]

    assert statuses == [400] * 5
    assert state_of_all(main_site, site_a) == before
    assert before[3] == SiteState.OPEN
