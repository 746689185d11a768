"""Many own goods taken off sale at once and taken back; a scan for refused words tells once."""

from types import MappingProxyType

import pytest

from kameng.catalog import errors, refused_words
from kameng.catalog.models import Product, WordScan
from kameng.catalog.own_goods import OwnGoodsFilter, count_scanned, list_own_goods
from kameng.catalog.services.judging import TakenDown, take_down_many, undo_take_downs
from kameng.catalog.services.listing import set_listed
from kameng.catalog.services.own_goods import allow_goods_again, take_down_goods
from kameng.catalog.services.scanning import scan_if_words_changed, scan_own_goods
from kameng.config.audit import find_breaches
from kameng.core.audit import SYSTEM, Actor
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email, OperatorNotice
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.own_goods import allow_own_goods, make_own_variant

ADA = Actor(kind="user", actor_id=1, name="Ada")
WHY = "侵犯他人商标，请改名"


@pytest.fixture(autouse=True)
def _plans(site_a: Site, site_b: Site) -> None:
    allow_own_goods(site_a)
    allow_own_goods(site_b)
    people.make_operator(site_a, login="lin@shop.cn", name="Lin")
    people.make_operator(site_b, login="wei@shop.cn", name="Wei")


def goods(site: Site, *titles: str) -> list[int]:
    """Make own goods of a site; return their ids."""
    return [make_own_variant(site, title=title).product_id for title in titles]


def rename(product_id: int, title: str) -> None:
    """Change a title past what editing would refuse, as a word that was allowed then."""
    with platform_scope("a test"):
        Product.unscoped.filter(id=product_id).update(title=title)


def states(*product_ids: int) -> list[tuple[bool, str]]:
    """Return whether each is on sale, and why the platform took it off."""
    with platform_scope("a test"):
        rows = Product.unscoped.in_bulk(product_ids)
    return [(rows[each].is_listed, rows[each].taken_down_reason) for each in product_ids]


def notices(site: Site) -> list[tuple[str, int, str]]:
    """Return kind, count and reason of what the operator was told."""
    with site_scope(site.id):
        rows = OperatorNotice.objects.order_by("id")
        return [(row.kind, row.values["count"], row.values["reason"]) for row in rows]


def test_many_are_taken_down_and_each_operator_is_told_once(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    one, two = goods(site_a, "月卡", "季卡")
    (three,) = goods(site_b, "年卡")
    with site_scope(main_site.id):
        taken = take_down_many([three, one, two], reason=f"  {WHY} ", actor=ADA)
        again = take_down_many([one, two, three], reason="别的原因", actor=ADA)

    assert taken == [TakenDown(product_id=each, was_listed=True) for each in (one, two, three)]
    assert again == []
    assert states(one, two, three) == [(False, WHY)] * 3
    assert notices(site_a) == [("goods_taken", 2, WHY)]
    assert notices(site_b) == [("goods_taken", 1, WHY)]
    with platform_scope("a test"):
        assert Email.unscoped.count() == 2
        entries = AuditEntry.objects.filter(action="own_goods.taken_down")
        assert entries.count() == 6  # on both sites
    assert find_breaches() == []


def test_what_was_taken_down_comes_back_as_it_was(main_site: Site, site_a: Site) -> None:
    listed, unlisted, judged = goods(site_a, "月卡", "季卡", "年卡")
    with site_scope(site_a.id):
        set_listed([unlisted], is_listed=False, actor=SYSTEM)
    with site_scope(main_site.id):
        taken = take_down_many([listed, unlisted, judged], reason=WHY, actor=ADA)
        take_down_goods(judged, reason="另有原因", actor=ADA)

        assert undo_take_downs(taken, reason=WHY, actor=ADA) == 2
        assert undo_take_downs(taken, reason=WHY, actor=ADA) == 0
    assert states(listed, unlisted, judged) == [(True, ""), (False, ""), (False, "另有原因")]
    assert notices(site_a)[-1] == ("goods_allowed", 2, "")


def test_nothing_comes_back_above_the_plan_or_with_a_refused_word(
    main_site: Site, site_a: Site
) -> None:
    one, two, three = goods(site_a, "月卡", "季卡", "年卡")
    with site_scope(main_site.id):
        taken = take_down_many([one, two, three], reason=WHY, actor=ADA)
    rename(two, "翻墙月卡")
    Plan.objects.filter(id=Site.objects.get(id=site_a.id).plan_id).update(own_goods_most=1)
    with site_scope(main_site.id):
        assert undo_take_downs(taken, reason=WHY, actor=ADA) == 3

    assert states(one, two, three) == [(True, ""), (False, ""), (False, "")]


def test_only_the_platform_judges_and_says_why(main_site: Site, site_a: Site, site_b: Site) -> None:
    (one,) = goods(site_a, "月卡")
    with site_scope(site_b.id), pytest.raises(errors.NotOwner):
        take_down_many([one], reason=WHY, actor=ADA)
    with site_scope(main_site.id), pytest.raises(errors.FieldInvalid):
        take_down_many([one], reason=" ", actor=ADA)
    assert states(one) == [(True, "")]
    assert notices(site_a) == []


# The scan for refused words.


@pytest.fixture
def new_word(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word that is refused from now on."""
    table = MappingProxyType({**refused_words.REFUSED_WORDS, "测试": ("新禁词",)})
    monkeypatch.setattr(refused_words, "REFUSED_WORDS", table)
    return "新禁词"


def test_a_new_word_takes_off_what_names_it_and_tells_once(
    main_site: Site, site_a: Site, site_b: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = goods(site_a, "新 禁·词 月卡", "月卡")
    (other,) = goods(site_b, "年卡")
    assert scan_if_words_changed() == 0  # today's table finds nothing
    assert scan_if_words_changed() == 0
    assert WordScan.objects.count() == 1

    table = MappingProxyType({**refused_words.REFUSED_WORDS, "测试": ("新禁词",)})
    monkeypatch.setattr(refused_words, "REFUSED_WORDS", table)
    assert scan_if_words_changed() == 1
    assert scan_if_words_changed() == scan_own_goods() == 0

    assert [each[0] for each in states(bad, good, other)] == [False, True, True]
    assert "新禁词" in states(bad)[0][1]
    assert [kind for kind, _count, _why in notices(site_a)] == ["goods_taken"]
    assert notices(site_b) == []
    assert WordScan.objects.count() == 2
    with site_scope(main_site.id):
        assert count_scanned(limit=10) == 1
        found = list_own_goods(OwnGoodsFilter(state="scanned"), offset=0)
        assert [row.product.id for row in found.rows] == [bad]
    assert find_breaches() == []


def test_who_reviews_it_confirms_or_allows(main_site: Site, site_a: Site, new_word: str) -> None:
    one, two = goods(site_a, "月卡", "季卡")
    rename(one, f"{new_word}月卡")
    rename(two, f"{new_word}季卡")
    assert scan_own_goods() == 2
    reason = states(one)[0][1]

    with site_scope(main_site.id):
        take_down_goods(one, reason=reason, actor=ADA)
        allow_goods_again(two, actor=ADA)
        assert count_scanned(limit=10) == 0
    assert states(one, two) == [(False, reason), (False, "")]
    kinds = [(kind, count) for kind, count, _why in notices(site_a)]
    assert kinds == [("goods_taken", 2), ("goods_allowed", 1)]  # the same reason is no news
    with site_scope(site_a.id), pytest.raises(errors.WordRefused):
        set_listed([two], is_listed=True, actor=SYSTEM)


def test_a_text_that_was_changed_meanwhile_is_looked_at_again(
    main_site: Site, site_a: Site, new_word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kameng.catalog.services import scanning

    (one,) = goods(site_a, "月卡")
    rename(one, f"{new_word}月卡")
    lock = scanning.lock_judged_goods

    def change_then_lock(product_ids: list[int], *, main_id: int) -> list[Product]:
        rename(one, "月卡")
        return lock(product_ids, main_id=main_id)

    monkeypatch.setattr(scanning, "lock_judged_goods", change_then_lock)
    assert scan_own_goods() == 0
    assert states(one) == [(True, "")]


def test_the_goods_of_the_main_site_are_its_own_affair(
    main_site: Site, site_a: Site, new_word: str
) -> None:
    from tests.factories import make_product

    product = make_product(main_site, title=f"{new_word}月卡")

    assert scan_own_goods() == 0
    assert states(product.id) == [(True, "")]
