"""Sites, hosts, plans and settings, each change audited and seen at once."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from kameng.core.audit import SYSTEM
from kameng.core.models import AuditEntry
from kameng.core.scope import NO_SCOPE, current_scope, platform_scope
from kameng.tenancy import errors, selectors, services
from kameng.tenancy.models import Domain, Plan, Site, SiteKind, SiteState
from kameng.tenancy.scoping import ScopeMissing
from kameng.tenancy.selectors import find_site_id, get_site_view, scope_of, site_scope
from kameng.tenancy.terms import set_term_by_hand
from tests import factories
from tests.people import Buyer


def actions() -> list[str]:
    with platform_scope("read the audit log"):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_a_sub_site_reads_the_main_site_and_writes_itself(main_site: Site, site_a: Site) -> None:
    branch, main = get_site_view(site_a.id), get_site_view(main_site.id)

    assert (branch.main_id, branch.is_main, main.is_main) == (main_site.id, False, True)
    assert scope_of(branch).reads == (site_a.id, main_site.id)
    assert scope_of(main).reads == (main_site.id,)
    with site_scope(site_a.id) as view:
        assert view == branch
        assert current_scope() == scope_of(branch)
    assert current_scope() == NO_SCOPE
    with pytest.raises(errors.SiteNotFound):
        get_site_view(2**60)


def test_there_is_one_main_site_and_every_branch_has_a_parent(main_site: Site) -> None:
    for values in (
        {"kind": SiteKind.MAIN, "slug": "other"},
        {"kind": SiteKind.BRANCH, "slug": "orphan"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Site.objects.create(name="x", **values)


def test_a_host_is_added_primary_and_taken_away(site_a: Site, site_b: Site) -> None:
    with platform_scope("domains"):
        services.add_domain(site_id=site_a.id, host="SHOP.cn", is_primary=True, actor=SYSTEM)
        assert find_site_id("shop.cn") == site_a.id
        assert selectors.primary_host(site_a.id) == "shop.cn"
        assert Domain.objects.filter(site_id=site_a.id, is_primary=True).count() == 1
        with pytest.raises(errors.HostTaken):
            services.add_domain(site_id=site_b.id, host="shop.CN.", is_primary=False, actor=SYSTEM)
        for bad in ("http://x.cn", "x.cn:80", "a b", ""):
            with pytest.raises(errors.HostInvalid):
                services.add_domain(site_id=site_b.id, host=bad, is_primary=False, actor=SYSTEM)
        with pytest.raises(errors.HostUnknown):
            services.remove_domain(site_id=site_b.id, host="shop.cn", actor=SYSTEM)
        services.remove_domain(site_id=site_a.id, host="shop.cn", actor=SYSTEM)
    assert find_site_id("shop.cn") is None
    assert actions() == ["site.domain.added", "site.domain.removed"]


def test_unknown_hosts_do_not_fill_the_memory(
    site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "HOST_CACHE_SIZE", 50)
    for number in range(200):
        assert find_site_id(f"h{number}.example") is None

    assert len(selectors._hosts) <= 50
    assert find_site_id("a.localhost") == site_a.id


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"colour": "red"}, errors.SettingInvalid),
        ({"palette": "neon"}, errors.SettingInvalid),
        ({"order_hold_seconds": 5}, errors.SettingInvalid),
        ({"order_hold_seconds": "900"}, errors.SettingInvalid),
        ({"timezone": "Mars/Olympus"}, errors.SettingInvalid),
        ({"hidden_gateway_ids": ["1"]}, errors.SettingInvalid),
    ],
)
def test_a_setting_that_will_not_do_changes_nothing(
    site_a: Site, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    before = get_site_view(site_a.id)
    with site_scope(site_a.id), pytest.raises(refusal):
        services.change_settings(site_id=site_a.id, changes=changes, actor=SYSTEM)

    assert get_site_view(site_a.id) == before


def test_settings_change_with_the_version_of_the_catalogue(site_a: Site) -> None:
    before = get_site_view(site_a.id)
    changes: dict[str, object] = {"palette": "teal", "hidden_gateway_ids": [3], "slogan": "好"}
    with site_scope(site_a.id):
        services.change_settings(site_id=site_a.id, changes=changes, actor=SYSTEM)

    after = get_site_view(site_a.id)
    assert (after.settings.palette, after.settings.hidden_gateway_ids) == ("teal", (3,))
    assert after.catalogue_version == before.catalogue_version + 1
    assert actions() == ["site.settings.changed"]


def test_a_plan_moves_the_prices_of_its_sites(site_a: Site, site_b: Site) -> None:
    plan = factories.make_plan()
    with platform_scope("plans"):
        draft = services.PlanDraft(name="普及版", markup_bps=1500, minimum_amount=100)
        services.save_plan(draft, plan_id=plan.id, actor=SYSTEM)
        draft = services.PlanDraft(name="x", markup_bps=1)
        with pytest.raises(errors.PlanNotFound):
            services.save_plan(draft, plan_id=2**60, actor=SYSTEM)
    assert Plan.objects.get(id=plan.id).wholesale_markup_bps == 1500
    assert {get_site_view(site.id).catalogue_version for site in (site_a, site_b)} == {2}


def test_a_site_is_renamed_moved_and_suspended(site_a: Site) -> None:
    plan = factories.make_plan("专业版")
    with platform_scope("sites"):
        services.change_site(site_id=site_a.id, name="新名", actor=SYSTEM)
        set_term_by_hand(site_id=site_a.id, plan=plan, ends_at=None, reason="x", actor=SYSTEM)
        services.set_site_state(
            site_id=site_a.id, state=SiteState.SUSPENDED, reason="欠费", actor=SYSTEM
        )
    view = get_site_view(site_a.id)

    assert (view.name, view.plan_id, view.state, view.suspended_reason) == (
        "新名",
        plan.id,
        SiteState.SUSPENDED,
        "欠费",
    )


def test_managers_fail_closed(site_a: Site, mei: Buyer) -> None:
    model = type(mei.customer)
    with pytest.raises(ScopeMissing):
        model.objects.all()
    with pytest.raises(ScopeMissing):
        model.unscoped.all()
    with site_scope(site_a.id), pytest.raises(ScopeMissing):
        model.unscoped.all()
    with platform_scope("look"), pytest.raises(ScopeMissing):
        model.objects.all()
    with platform_scope("look"):
        assert model.unscoped.get() == mei.customer


def test_goods_of_the_main_site_are_read_below_and_not_written(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    product = factories.make_product(main_site)
    own = factories.make_product(site_b)
    with site_scope(site_a.id):
        assert list(type(product).objects.all()) == [product]
        changed = type(product).objects.filter(id=product.id).update(title="x")
        assert changed == 0
    with site_scope(site_b.id):
        assert set(type(product).objects.all()) == {product, own}
    with site_scope(main_site.id):
        assert list(type(product).objects.all()) == [product]
