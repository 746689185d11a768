"""A genuine callback of a kind that moves nothing here is acknowledged, and leaves no trace."""

import json
import time

from kameng.core.scope import platform_scope
from kameng.payments.models import Gateway, RejectedCallback
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.services.confirming import accept_callback
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, count
from tests.providers.cases import STRIPE_WEBHOOK, make_case, sign_stripe

EVENT = {
    "id": "evt_1",
    "object": "event",
    "created": 1_767_268_800,
    "livemode": False,
    "type": "payout.paid",
    "data": {"object": {"id": "po_1", "object": "payout", "amount": 500}},
}


def _send(secret: str) -> CallbackRequest:
    body, moment = json.dumps(EVENT).encode(), str(int(time.time()))
    header = f"t={moment},v1={sign_stripe(body, secret, moment=moment)}"
    return CallbackRequest(method="POST", body=body, headers={"stripe-signature": header})


def test_stripes_other_events_are_acknowledged_without_effect(db: None, main_site: Site) -> None:
    terms = GatewayTerms(name="Stripe", method="card", fee_bps=290, min_amount=0, max_amount=10**10)
    with site_scope(main_site.id):
        gateway: Gateway = create_gateway(
            kind="stripe", form=make_case("stripe").form, terms=terms, actor=STAFF
        )

    heard = accept_callback(gateway_id=gateway.id, callback=_send(STRIPE_WEBHOOK), ip="192.0.2.9")
    forged = accept_callback(gateway_id=gateway.id, callback=_send("whsec_x"), ip="192.0.2.9")

    assert (heard.status, heard.accepted, heard.is_genuine) == (200, False, True)
    assert (forged.status, forged.is_genuine) == (400, False)
    with platform_scope("a test looks at refused callbacks"):
        codes = list(RejectedCallback.objects.values_list("code", flat=True))
    assert codes == ["bad_signature"]
    assert count("select count(*) from ledger_transfer") == 0
