"""The frame of every page of the shop: who looks, at which site, and how a page is answered.

Pages that are the same for everybody come from `shells`; pages of one person are rendered with the
request and never kept by anyone.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from kameng.accounts.people import CustomerPerson, Person
from kameng.core import clock
from kameng.orders.errors import SignInNeeded
from kameng.pages.selectors import get_design
from kameng.storefront.shells import get_shell
from kameng.storefront.unread import has_unread
from kameng.tenancy.addresses import host_url
from kameng.web import flash
from kameng.web.answers import wants_json
from kameng.web.away import site_bar
from kameng.web.requests import KamengRequest
from kameng.web.shop import THEMES, frame_values
from kameng.web.templatetags.kameng import icon

NEXT_LIMIT: Final = 300
View = Callable[..., HttpResponse]


def answer_shared(
    request: KamengRequest,
    template: str,
    *,
    key: Hashable,
    build: Callable[[], Mapping[str, Any]],
) -> HttpResponse:
    """Answer with a page that is the same for everybody of this site, language and key."""
    view, path = request.site, request.path

    def values() -> dict[str, Any]:
        return {**frame_values(view), "next_url": path, **build()}

    if flash.COOKIE in request.COOKIES:  # something to say to this person, once
        return render(request, template, {**values(), **personal_values(request)})
    skin = get_design(view).skin_at(clock.now())
    versions = (view.site_id, view.catalogue_version, view.main_version, skin)
    shell = get_shell((*versions, get_language(), template, key), template=template, build=values)
    return HttpResponse(shell.fill(personal_values(request)))


def answer_personal(
    request: KamengRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Answer with a page for this person alone."""
    values = {
        **frame_values(request.site),
        **personal_values(request),
        "person": request.person,
        "next_url": request.get_full_path() if request.method == "GET" else reverse_home(),
        "now": clock.now(),
        "is_private": True,
        **(context or {}),
    }
    return keep_private(render(request, template, values, status=status))


def keep_private(response: HttpResponse) -> HttpResponse:
    """Forbid everybody to keep or list an answer.

    Its address does not travel either: every answer says `Referrer-Policy: same-origin`.
    `no-referrer` would make browsers post our own forms with `Origin: null`, which is refused.
    """
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


def personal_values(request: KamengRequest) -> dict[str, str]:
    """Return what the frame shows of a person: the values of the shells' holes."""
    theme = request.COOKIES.get("theme") or get_design(request.site).look["root"]["mode"]
    person = request.person
    is_customer = person.is_customer
    return {
        "csrf_token": get_token(request),
        "theme": theme if theme in THEMES else "auto",
        "person_tools": _person_tools(person),
        "unread_dot": _unread_dot(person),
        "site_bar": site_bar(request, request.site),
        "orders_url": reverse("storefront:orders" if is_customer else "storefront:lookup"),
    }


def customer_page(view: View) -> View:
    """Open a view to signed-in customers; others are led to the sign-in page, programs refused."""

    @wraps(view)
    def opened(request: KamengRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.person.is_customer:
            return view(request, *args, **kwargs)
        if request.method not in {"GET", "HEAD"} or wants_json(request):
            raise SignInNeeded
        query = urlencode({"next": request.get_full_path()[:NEXT_LIMIT]})
        return keep_private(see_other(f"{reverse('storefront:sign_in')}?{query}"))

    return opened


def customer_id_of(request: KamengRequest) -> int:
    """Return the customer of a page opened by `customer_page`."""
    person = request.person
    if not isinstance(person, CustomerPerson):
        raise SignInNeeded
    return person.customer_id


def see_other(url: str) -> HttpResponse:
    """Lead on after a post, so that a reload does not post again."""
    return HttpResponseRedirect(url, status=303)


def comes_back(view: View) -> View:
    """Let a gateway's page post the browser back (`?returned=1`); it is led on by GET.

    What was posted is not read: coming back proves nothing, and so it needs no token.
    """

    @csrf_exempt
    @wraps(view)
    def led(request: KamengRequest, *args: Any, **names: Any) -> HttpResponse:
        if request.method == "POST" and "returned" in request.GET:
            return keep_private(see_other(request.get_full_path()))
        return view(request, *args, **names)

    return led


def absolute_url(request: KamengRequest, path: str) -> str:
    """Return the whole address of a path of this shop, as other systems call it."""
    return host_url(request.get_host().partition(":")[0]) + path


def reverse_home() -> str:
    """Return the address of the home page."""
    return reverse("storefront:home")


def _person_tools(person: Person) -> SafeString:
    if person.is_customer:
        return format_html(
            '<a class="header-tool" href="{}"><span class="avatar" aria-hidden="true">{}</span>'
            '<span class="clip hide-phone">{}</span><span class="sr-only">{}</span></a>',
            reverse("storefront:account"),
            person.name[:1],
            person.name[:12],
            _("我的"),
        )
    return format_html(
        '<a class="header-tool" href="{}">{}<span>{}</span></a>',
        reverse("storefront:sign_in"),
        icon("user-circle"),
        _("登录"),
    )


def _unread_dot(person: Person) -> SafeString:
    if not isinstance(person, CustomerPerson) or not has_unread(person.customer_id):
        return mark_safe("")
    return format_html('<span class="dot" title="{}"></span>', _("有未读消息"))
