"""The pages of the shop: what there is, how each stands, and making and removing one."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done, run_form, see_other, status_of
from kameng.console.design_words import page_url
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.pages.errors import PageNotFound
from kameng.pages.models import MANY_KINDS, Page, PageKind
from kameng.pages.selectors import find_last_decoration, list_pages, list_publications
from kameng.pages.services.drafting import NewPage, create_page, open_page, remove_page
from kameng.pages.services.publishing import withdraw_page
from kameng.tenancy.selectors import SiteView

SINGLE = (
    (PageKind.HOME, "home"),
    (PageKind.LOOK, "palette"),
    (PageKind.CATEGORY, "category"),
    (PageKind.PRODUCT, "package"),
    (PageKind.ABOUT, "info-circle"),
    (PageKind.HELP, "help-circle"),
)


class NewPageForm(forms.Form):
    """A landing or custom page to be made."""

    kind = forms.TypedChoiceField(
        label=gettext_lazy("用途"),
        coerce=int,
        choices=[(int(kind), kind.label) for kind in MANY_KINDS],
        widget=forms.RadioSelect,
    )
    title = forms.CharField(label=gettext_lazy("页面名称"), max_length=60)
    slug = forms.CharField(
        label=gettext_lazy("页面地址"),
        max_length=40,
        help_text=gettext_lazy("显示在网址里，例如 double-11。只用小写字母、数字和连字符。"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One page as the list shows it."""

    page: Page | None
    label: str
    icon: str
    url: str  # of the editor
    shop_url: str
    publish_at: datetime | None

    @property
    def state(self) -> str:
        """Return a word for how it stands."""
        if self.page is None or (self.page.revision_id is None and self.page.draft is None):
            return "builtin"
        if self.page.draft is not None:
            return "draft" if self.page.revision_id is None else "changed"
        return "published"


@console_page("design.edit")
@require_safe
def design(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """List the pages of the shop with how each stands."""
    rows = list_pages()
    by_kind = {row.kind: row for row in rows if row.category_id == 0}
    planned = {each.page_id: each.publish_at for each in list_publications()}
    lines = [_line(site, kind, icon, by_kind.get(kind), planned) for kind, icon in SINGLE]
    many = [
        Line(
            page=row,
            label=row.title,
            icon="file-text",
            url=reverse("console:edit_page", args=(site.slug, row.id)),
            shop_url=page_url(row),
            publish_at=planned.get(row.id),
        )
        for row in rows
        if row.kind in MANY_KINDS
    ]
    last = find_last_decoration()
    context = {"lines": lines, "many": many, "last": last if last and not last.undone_at else None}
    return show(request, "console/design/list.html", context)


def _line(
    site: SiteView, kind: PageKind, icon: str, page: Page | None, planned: dict[int, datetime]
) -> Line:
    return Line(
        page=page,
        label=str(kind.label),
        icon=icon,
        url=reverse("console:open_page", args=(site.slug, int(kind))),
        shop_url=page_url(page) if page else page_url(Page(kind=kind)),
        publish_at=planned.get(page.id) if page else None,
    )


@console_page("design.edit")
@require_safe
def open_editor(request: ConsoleRequest, site: SiteView, kind: int) -> HttpResponse:
    """Lead to the editor of a page of which a site has one."""
    if kind not in PageKind.values:
        raise PageNotFound
    page = open_page(kind)
    return see_other(reverse("console:edit_page", args=(site.slug, page.id)))


@console_page("design.edit")
def new_page(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Make a landing or custom page and open it in the editor."""
    form = NewPageForm(
        request.POST if request.method == "POST" else None, initial={"kind": PageKind.LANDING}
    )

    def act() -> Page:
        values = form.cleaned_data
        new = NewPage(kind=values["kind"], slug=values["slug"], title=values["title"])
        return create_page(new, actor=actor_of(request))

    if form.is_bound:
        page = run_form(form, act)
        if page is not None:
            return see_other(reverse("console:edit_page", args=(site.slug, page.id)))
    return show(request, "console/design/new.html", {"form": form}, status=status_of(form))


@console_page("design.edit")
@require_POST
def withdraw(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Take a page off; it stays as a draft."""
    withdraw_page(page_id, actor=actor_of(request))
    return done(request, _("页面已下线，内容保留为草稿。"), to=_list_url(site))


@console_page("design.edit")
@require_POST
def remove(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Remove a page that is not published."""
    remove_page(page_id, actor=actor_of(request))
    return done(request, _("页面已删除。"), to=_list_url(site))


def _list_url(site: SiteView) -> str:
    return reverse("console:design", args=(site.slug,))
