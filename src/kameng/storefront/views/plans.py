"""Opening a shop of one's own on the main site: compare plans, fill in, pay, and it is live.

Also more time for a shop that stands, reached by a link from its back office. What an order does
once it is paid: `orders.services.opening`.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.http import Http404, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from kameng.accounts.people import StaffPerson
from kameng.accounts.services.signing import open_session_of_staff
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.core.ids import new_token
from kameng.orders.errors import KeyReused
from kameng.orders.models import Order, OrderState, PurchaseAct, SitePurchase
from kameng.orders.selectors import find_purchase
from kameng.orders.services.buying_plans import (
    Checkout,
    NewShop,
    get_offer,
    order_shop,
)
from kameng.orders.services.opening import carry_out, move_address, take_entrance
from kameng.orders.services.placing import PlacedOrder
from kameng.pages.drawing import draw_content
from kameng.pages.models import PageKind
from kameng.pages.ready_made import all_designs, get_ready_made
from kameng.risk.services import admit_link_try, admit_sign_in
from kameng.storefront.addresses import next_address, order_address
from kameng.storefront.forms import TYPED_CHARS, read_number, read_secret, read_text
from kameng.storefront.frame import answer_personal, keep_private, see_other
from kameng.storefront.opening import open_for, read_token
from kameng.storefront.plan_checkout import cash_desk, plan_cards, read_plan_checkout
from kameng.storefront.shop_words import say_problem
from kameng.tenancy.addresses import host_url
from kameng.tenancy.selectors import branch_host, find_address, get_site, primary_host
from kameng.web.cookies import give_session, session_token
from kameng.web.csp import allow_framing, allow_own_frames
from kameng.web.qr import draw_qr
from kameng.web.requests import KamengRequest
from kameng.web.shop import draw_for_nobody

DESIGN_CHARS: Final = 40
SLUG_CHARS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopForm:
    """What the opening form sends, kept for another try; the password is not."""

    name: str = ""
    slug: str = ""
    login: str = ""
    template: str = ""
    is_agreed: bool = False


def require_main(request: KamengRequest) -> None:
    """Shops are opened on the main site alone; elsewhere these pages are not there."""
    if not request.site.is_main:
        raise Http404


@require_safe
def plans(request: KamengRequest) -> HttpResponse:
    """Compare what is sold."""
    require_main(request)
    context = {"cards": plan_cards(), "tab": "me"}
    return answer_personal(request, "storefront/plans.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def open_shop(request: KamengRequest) -> HttpResponse:
    """Show the form of a new shop, or order it: 303 to pay, or to the shop that is live."""
    require_main(request)
    if request.method != "POST" and not request.GET.get("variant"):
        return see_other(reverse("storefront:plans"))  # a plan is chosen first
    if request.method != "POST":
        return _form(request, ShopForm(), key=new_token())
    form = read_shop(request)
    try:
        checkout, shop = _read(request, form)
        placed = order_shop(checkout, shop=shop)
    except Refusal as refusal:
        return _form(request, form, refusal=refusal, key=_next_key(request, refusal))
    return lead_on(request, placed)


def read_shop(request: KamengRequest) -> ShopForm:
    """Return what was typed, bounded."""
    data = request.POST
    return ShopForm(
        name=read_text(data, "name", limit=TYPED_CHARS),
        slug=read_text(data, "slug", limit=SLUG_CHARS).lower(),
        login=read_text(data, "login", limit=TYPED_CHARS),
        template=read_text(data, "template", limit=DESIGN_CHARS),
        is_agreed=data.get("agree") == "1",
    )


def _read(request: KamengRequest, form: ShopForm) -> tuple[Checkout, NewShop]:
    person = request.person
    staff_id = person.user_id if isinstance(person, StaffPerson) else None
    checkout, contact = read_plan_checkout(
        request, contact_raw=form.login, is_agreed=form.is_agreed
    )
    shop = NewShop(
        slug=form.slug,
        name=form.name,
        template=form.template if form.template in all_designs() else "",
        user_id=staff_id,
        owner_login=contact,
        owner_password=read_secret(request.POST, "password"),
    )
    return checkout, shop


def _next_key(request: KamengRequest, refusal: Refusal) -> str:
    key = read_text(request.POST, "idempotency_key", limit=TYPED_CHARS)
    return new_token() if isinstance(refusal, KeyReused) or not key else key


def lead_on(request: KamengRequest, placed: PlacedOrder) -> HttpResponse:
    """Lead to pay; what a wallet has paid is carried out at once."""
    if placed.state == OrderState.AWAITING_PAYMENT:
        return keep_private(
            see_other(
                next_address(order_no=placed.order_no, token=placed.token, state=placed.state)
            )
        )
    if placed.state == OrderState.AWAITING_DELIVERY:
        carry_out(placed.order_id)
    return keep_private(see_other(ready_address(placed.order_no, token=placed.token)))


def ready_address(order_no: str, *, token: str) -> str:
    """Return the address of the page that says that the shop is live."""
    return order_address("shop_ready", order_no=order_no, token=token)


def _form(
    request: KamengRequest, form: ShopForm, *, key: str, refusal: Refusal | None = None
) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    offer = get_offer(read_number(data, "variant", label=_("套餐")))
    problem = say_problem(refusal)
    context = {
        **cash_desk(request, offer, key=key),
        "form": form,
        "problem": problem.text if problem.field == "" else "",
        "errors": {problem.field: problem.text} if problem.field else {},
        "suggestions": find_address(form.slug).suggestions if problem.field == "slug" else (),
        "suffix": branch_host("x").removeprefix("x"),
        "is_staff": isinstance(request.person, StaffPerson),
        "designs": all_designs().values(),
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    response = answer_personal(request, "storefront/open_shop.html", context, status=status)
    allow_own_frames(response)
    return response


@require_safe
def slug_state(request: KamengRequest) -> JsonResponse:
    """Tell whether an address is free while it is typed, with others near it when it is not."""
    require_main(request)
    admit_link_try(ip=request.client_ip)
    slug = read_text(request.GET, "q", limit=SLUG_CHARS).lower()
    found = find_address(slug)
    words = {
        "free": _("可以用"),
        "taken": _("已被使用，换一个试试"),
        "reserved": _("系统保留的名称，换一个试试"),
        "invalid": _("2 到 32 个小写字母、数字或连字符，以字母开头"),
    }
    answer = {
        "state": found.state,
        "text": words[found.state],
        "url": host_url(branch_host(slug)) if found.state == "free" else "",
        "suggestions": list(found.suggestions),
    }
    response = JsonResponse(answer)
    keep_private(response)
    return response


@require_safe
def design(request: KamengRequest, key: str) -> HttpResponse:
    """Draw a ready-made design with the goods of the main site, for a frame of the form."""
    require_main(request)
    contents = get_ready_made(key).contents()
    sections = draw_content(contents[PageKind.HOME], site=request.site, now=clock.now())
    context = {"sections": sections, "page_title": "", "is_framed": True, "tab": "home"}
    look = contents[PageKind.LOOK]
    page = draw_for_nobody(request.site, "storefront/page.html", context, look=look)
    response = HttpResponse(page)
    allow_framing(response)
    response["X-Robots-Tag"] = "noindex"
    return response


@require_safe
def ready(request: KamengRequest, order_no: str) -> HttpResponse:
    """Say that the shop is live and where, or how far it is; other orders lead to their page."""
    require_main(request)
    found = open_for(request, order_no)
    purchase = find_purchase(found.id)
    if purchase is None or found.state not in {OrderState.AWAITING_DELIVERY, OrderState.DELIVERED}:
        return keep_private(
            see_other(order_address("order", order_no=order_no, token=read_token(request)))
        )
    return _ready(request, found, purchase)


def _ready(
    request: KamengRequest, found: Order, purchase: SitePurchase, *, refusal: Refusal | None = None
) -> HttpResponse:
    token = read_token(request)
    names = {"order_no": found.order_no, "token": token}
    context: dict[str, Any] = {
        "order": found,
        "purchase": purchase,
        "token": token,
        "is_opening": purchase.act == PurchaseAct.OPEN,
        "is_done": purchase.done_at is not None,
        "problem": refusal.text() if refusal is not None else "",
        "may_enter": purchase.owner_login != "" and purchase.entered_at is None,
        "status_url": order_address("pay_status", **names, s=found.state),
        "enter_url": order_address("shop_enter", order_no=found.order_no, token=""),
        "move_url": order_address("shop_move", order_no=found.order_no, token=""),
        "suggestions": find_address(purchase.slug).suggestions if purchase.problem else (),
        "suffix": branch_host("x").removeprefix("x"),
        "tab": "me",
    }
    if purchase.done_at is not None and purchase.target_id is not None:
        site = get_site(purchase.target_id)
        url = host_url(primary_host(site.id) or "localhost")
        context |= {
            "shop": site,
            "shop_url": f"{url}/",
            "console_url": reverse("console:overview", args=(site.slug,)),
            "qr_svg": draw_qr(f"{url}/", title=_("店铺二维码")),
        }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/shop_ready.html", context, status=status)


@require_POST
def enter(request: KamengRequest, order_no: str) -> HttpResponse:
    """Go into the new shop's back office, signed in by its order; once, then by password."""
    require_main(request)
    found = open_for(request, order_no)
    purchase = find_purchase(found.id)
    if purchase is None or purchase.target_id is None or purchase.done_at is None:
        raise Http404
    goal = reverse("console:overview", args=(get_site(purchase.target_id).slug,))
    response = keep_private(see_other(goal))
    if purchase.owner_login == "":
        return response
    permit = admit_sign_in(
        site_id=request.site.site_id,
        login=purchase.owner_login,
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", ""),
        is_staff=True,
    )
    user_id = take_entrance(found.id)
    if user_id is not None:
        signed_in = open_session_of_staff(
            permit, user_id=user_id, previous_token=session_token(request)
        )
        give_session(request, response, signed_in)
    return response


@require_POST
def move(request: KamengRequest, order_no: str) -> HttpResponse:
    """Take another address for a paid shop whose own was lost."""
    require_main(request)
    found = open_for(request, order_no)
    slug = read_text(request.POST, "slug", limit=SLUG_CHARS).lower()
    try:
        move_address(order_id=found.id, slug=slug)
    except Refusal as refusal:
        purchase = find_purchase(found.id)
        if purchase is None:
            raise
        return _ready(request, found, purchase, refusal=refusal)
    return keep_private(see_other(ready_address(order_no, token=read_token(request))))
