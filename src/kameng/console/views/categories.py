"""Shelves: the owner makes and orders them, a sub-site sees them."""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.catalog.errors import NotOwner
from kameng.catalog.own_goods import read_own_goods
from kameng.catalog.selectors import get_category, list_categories
from kameng.catalog.services.editing import create_category, delete_category, update_category
from kameng.catalog.services.own_goods import require_maker
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.goods import ICONS, CategoryForm, category_values
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.errors import Refusal
from kameng.tenancy.selectors import SiteView


@console_page("goods.view")
def categories(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the shelves in the shop's order."""
    return show(request, "console/goods/categories.html", _list_context(site))


@console_page("goods.edit")
def new_category(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Make a shelf."""
    require_maker()
    form = CategoryForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        made = run_form(form, lambda: create_category(form.draft(), actor=actor_of(request)))
        if made is not None:
            return done(request, _("分类已添加。"), to=_list_url(site))
    context = {"form": form, "icons": ICONS}
    return show(request, "console/goods/category.html", context, status=status_of(form))


@console_page("goods.edit")
def category(request: ConsoleRequest, site: SiteView, category_id: int) -> HttpResponse:
    """Rename, move, show or hide a shelf of one's own."""
    stored = get_category(category_id)
    if stored.site_id != site.site_id:
        raise NotOwner
    data = request.POST if request.method == "POST" else None
    form = CategoryForm(data, initial=category_values(stored))
    if form.is_bound:
        saved = run_form(
            form, lambda: update_category(category_id, draft=form.draft(), actor=actor_of(request))
        )
        if saved is not None:
            return done(request, _("已保存。"), to=_list_url(site))
    context = {"form": form, "icons": ICONS, "category": stored}
    return show(request, "console/goods/category.html", context, status=status_of(form))


@require_POST
@console_page("goods.edit")
def remove_category(request: ConsoleRequest, site: SiteView, category_id: int) -> HttpResponse:
    """Delete an empty shelf."""
    try:
        delete_category(category_id, actor=actor_of(request))
    except Refusal as refusal:
        context = _list_context(site) | {"problem": refusal.text()}
        return show(request, "console/goods/categories.html", context, status=refusal.status)
    return done(request, _("分类已删除。"), to=_list_url(site))


def _list_context(site: SiteView) -> dict[str, Any]:
    own_goods = read_own_goods(site)
    may_make = site.is_main or (own_goods is not None and own_goods.may_make)
    return {"rows": list_categories(), "may_make": may_make, "own_goods": own_goods}


def _list_url(site: SiteView) -> str:
    return reverse("console:categories", args=[site.slug])
