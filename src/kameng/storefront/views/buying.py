"""The checkout: what, for whom, how to pay, one button. Placing asks the server's price again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypedDict
from urllib.parse import urlencode

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kameng.accounts.people import CustomerPerson
from kameng.catalog.selectors import (
    PurchaseQuote,
    get_catalogue,
    is_catalogue_at_hand,
    quote_purchase,
)
from kameng.core.errors import Refusal
from kameng.core.ids import new_token
from kameng.orders.errors import (
    ContactInvalid,
    KeyReused,
    OutOfStock,
    SignInNeeded,
    TooManyOpenOrders,
)
from kameng.orders.links import contact_digest
from kameng.orders.models import OrderState
from kameng.orders.services.placing import (
    Buyer,
    PlacedOrder,
    Wish,
    place_order,
    place_prepared,
    prepare_order,
)
from kameng.pages.shelf import category_name_of, consent_of, cover_url, promise_of
from kameng.payments.selectors import are_gateways_at_hand
from kameng.pricing.money import Amount, format_yuan
from kameng.pricing.trace import explain_step
from kameng.risk.errors import TooManyOrders
from kameng.risk.services import Clearance, assess_checkout
from kameng.storefront.addresses import next_address
from kameng.storefront.errors import ConsentMissing, KeyMissing
from kameng.storefront.forms import (
    CheckoutForm,
    clean_contact,
    is_key,
    read_checkout,
)
from kameng.storefront.frame import answer_personal, keep_private, see_other
from kameng.storefront.paychoices import (
    WALLET,
    Offer,
    check_wallet,
    due_of,
    list_pay_options,
    open_purse,
    read_gateway,
    read_part,
)
from kameng.tenancy.selectors import SiteView, forget_stamped_view
from kameng.web.answers import wants_json
from kameng.web.requests import KamengRequest
from kameng.web.slots import FIELD_PREFIX, make_slots

# Refusals that no newer view of the site would change: the database, or the risk rules, said so.
CERTAIN: Final = (KeyReused, OutOfStock, TooManyOpenOrders, TooManyOrders)
CLEARED: Final = "kameng.clearance"  # no header can have this name


@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: KamengRequest) -> HttpResponse:
    """Show the checkout, or place the order: 303 to pay or to the goods, 201 to a program."""
    if request.method == "POST":
        return _place(request)
    form = read_checkout(request.GET)
    if _must_sign_in(request):
        query = urlencode({"next": request.get_full_path()[:300]})
        return keep_private(see_other(f"{reverse('storefront:sign_in')}?{query}"))
    has_answers = bool(form.answers)
    return _show(request, replace(form, idempotency_key=new_token()), is_checked=has_answers)


def _place(request: KamengRequest) -> HttpResponse:
    form = read_checkout(request.POST)
    try:
        placed = place_order(**_read(request, form))
    except Refusal as refusal:
        if wants_json(request):
            raise
        if isinstance(refusal, KeyReused):
            form = replace(form, idempotency_key=new_token())
        return _show(request, form, refusal=refusal, is_checked=True)
    return _answer(request, placed)


async def place_on_the_loop(request: KamengRequest) -> HttpResponse | None:
    """Place the order as `checkout` does, on the event loop; None where that needs a query first.

    Raises what `_read` and `place_prepared` refuse; nothing was changed then. What is refused by a
    view of the site that nobody has compared yet is judged again the ordinary way.
    """
    view, form = request.site, read_checkout(request.POST)
    if not is_catalogue_at_hand(view) or (form.pay != WALLET and not are_gateways_at_hand(view)):
        return None
    try:
        prepared = prepare_order(**_read(request, form))
        placed = await place_prepared(prepared, stamp=request.stamp)
    except Refusal as refusal:
        if not request.stamp or isinstance(refusal, CERTAIN):
            raise
        forget_stamped_view(view.site_id)
        return None
    return None if placed is None else _answer(request, placed)


def _answer(request: KamengRequest, placed: PlacedOrder) -> HttpResponse:
    url = next_address(order_no=placed.order_no, token=placed.token, state=placed.state)
    if not wants_json(request):
        return keep_private(see_other(url))
    state = OrderState(placed.state).name.lower()
    answer = {
        "order_no": placed.order_no,
        "state": state,
        "url": url,
        "total": format_yuan(Amount(placed.total_amount)),
        "payment_no": placed.payment_no,
    }
    return keep_private(JsonResponse(answer, status=201))


class _Order(TypedDict):
    view: SiteView
    buyer: Buyer
    wish: Wish
    clearance: Clearance
    quoted: PurchaseQuote | None


def _read(request: KamengRequest, form: CheckoutForm) -> _Order:
    """Judge a form and let it through the risk rules. Raises what is wrong with it."""
    view, person = request.site, request.person
    if not is_key(form.idempotency_key):
        raise KeyMissing
    if _must_sign_in(request):
        raise SignInNeeded
    customer_id = person.customer_id if isinstance(person, CustomerPerson) else None
    contact = clean_contact(form.contact_raw, is_required=customer_id is None)
    if not form.is_agreed:
        raise ConsentMissing
    choice, part, quoted = None, 0, None
    if form.pay == WALLET:
        check_wallet(request)
    else:  # which gateways there are depends on the amount; the wallet needs no second quote
        quoted = quote_purchase(
            get_catalogue(view), variant_id=form.variant_id, quantity=form.quantity
        )
        part = read_part(request, request.POST)
        total = quoted.quote.total_amount
        choice = read_gateway(
            request, form.pay, amount=max(total - part, 0), seed=form.idempotency_key
        )
    digest = contact_digest(view.site_id, contact)
    actor = f"guest:{digest.hex()}" if customer_id is None else f"customer:{customer_id}"
    return _Order(
        view=view,
        buyer=Buyer(
            customer_id=customer_id,
            contact=contact,
            ip=request.client_ip,
            actor=actor,
            digest=digest,
        ),
        wish=Wish(
            variant_id=form.variant_id,
            quantity=form.quantity,
            answers=form.answers,
            shown_amount=form.shown_amount,
            idempotency_key=form.idempotency_key,
            choice=choice,
            wallet_part=part,
        ),
        clearance=_clear(request, actor),
        quoted=quoted,
    )


def _clear(request: KamengRequest, actor: str) -> Clearance:
    """Ask the risk rules; a request that goes from the loop to a thread is counted once."""
    given = request.META.get(CLEARED)
    if isinstance(given, Clearance):
        return given
    site_id, ip = request.site.site_id, request.client_ip
    clearance = assess_checkout(site_id=site_id, actor=actor, ip=ip)
    request.META[CLEARED] = clearance
    return clearance


def _must_sign_in(request: KamengRequest) -> bool:
    return not request.site.settings.guest_checkout and not request.person.is_customer


def _show(
    request: KamengRequest,
    form: CheckoutForm,
    *,
    refusal: Refusal | None = None,
    is_checked: bool = False,
) -> HttpResponse:
    """Render the checkout with everything that was typed. Raises what the goods refuse."""
    quoted = quote_purchase(
        get_catalogue(request.site), variant_id=form.variant_id, quantity=form.quantity
    )
    is_own_place = isinstance(refusal, ContactInvalid | ConsentMissing)
    total = quoted.quote.total_amount
    purse = open_purse(request, total, is_ticked=request.POST.get("use_wallet") == "1")
    part = purse.offer if purse is not None else None
    options = list_pay_options(
        request, total, Offer(chosen=form.pay, seed=form.idempotency_key, purse=purse)
    )
    context = {
        **_goods_context(request, quoted, form),
        "slots": make_slots(quoted.product.input_fields, form.answers, is_checked=is_checked),
        "contact": form.contact_raw,
        "contact_error": refusal.text() if isinstance(refusal, ContactInvalid) else "",
        "is_agreed": form.is_agreed,
        "consent": consent_of(quoted.product.delivery_kind),
        "consent_error": refusal.text() if isinstance(refusal, ConsentMissing) else "",
        "problem": refusal.text() if refusal is not None and not is_own_place else "",
        "idempotency_key": form.idempotency_key,
        "part_offer": part,
        "pay_options": options,
        "due_amount": due_of(options, part, total_amount=total),
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/checkout.html", context, status=status)


def _goods_context(
    request: KamengRequest, quoted: PurchaseQuote, form: CheckoutForm
) -> Mapping[str, Any]:
    """Return what is bought and what it costs; of the price only what a buyer may know."""
    product, variant = quoted.product, quoted.variant
    path = reverse("storefront:checkout")
    query = urlencode(
        {
            "variant": variant.id,
            "quantity": quoted.quantity,
            **{FIELD_PREFIX + name: value[:80] for name, value in form.answers.items()},
        }
    )
    here = f"{path}?{query}"
    product_url = reverse("storefront:product", args=(product.id,))
    return {
        "product": product,
        "variant": variant,
        "quantity": quoted.quantity,
        "total_amount": quoted.quote.total_amount,
        "trace": [
            {"text": explain_step(step, translate=gettext), "after_amount": step.after_amount}
            for step in quoted.quote.trace
        ],
        "cover_url": cover_url(product, category_name=category_name_of(request.site, product)),
        "promise": promise_of(product.delivery_kind),
        "back_url": f"{product_url}?variant={variant.id}",
        "sign_in_url": f"{reverse('storefront:sign_in')}?{urlencode({'next': here[:300]})}",
        "next_url": here,
        "title": _("确认订单"),
    }
