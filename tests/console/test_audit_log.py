"""The audit log on a page: a site's own acts, all acts for the platform, each one whole."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from django.test import Client

from kameng.accounts.models import Role
from kameng.console import audit_words
from kameng.core.audit import SYSTEM, Actor, record
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from tests import people
from tests.console.pages import address, text_of

ClientFor = Callable[..., Client]


def make_act(site: Site, name: str, action: str = "site.changed", **detail: object) -> int:
    """Record an act on a site; return its id."""
    with platform_scope("record an act in a test"):
        record(action, actor=Actor(kind="user", name=name), site_id=site.id, detail=detail)
        return int(AuditEntry.objects.order_by("-id")[0].id)


def test_a_site_sees_its_own_acts_and_the_platform_all(
    main_site: Site,
    site_a: Site,
    site_b: Site,
    ada: people.Staff,
    lin: people.Staff,
    client_for: ClientFor,
) -> None:
    own, other = make_act(site_a, "甲员"), make_act(site_b, "乙员")
    client = client_for(site_a, lin)

    page = text_of(client.get(address(site_a, "audit_log", query="all=1")))
    everything = text_of(
        client_for(main_site, ada).get(address(main_site, "audit_log", query="all=1"))
    )

    assert "甲员" in page
    assert "乙员" not in page
    assert "甲员" in everything
    assert "乙员" in everything
    assert client.get(address(site_a, "audit_entry", own)).status_code == 200
    assert client.get(address(site_a, "audit_entry", other)).status_code == 404


def test_an_act_is_shown_whole_with_money_as_money(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    entry_id = make_act(
        site_a,
        "甲员",
        "variant.changed",
        before={"cost_amount": 90_000},
        after={"cost_amount": 95_000, "is_listed": True},
        reason="<b>涨价</b>",
    )

    response = client_for(site_a, lin).get(address(site_a, "audit_entry", entry_id))

    text = text_of(response)
    assert "修改规格" in text
    assert "修改前 · 成本价 ¥9.00" in text
    assert "修改后 · 在售 是" in text
    assert "&lt;b&gt;涨价" in response.content.decode()


def test_acts_are_filtered_and_read_page_by_page(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    for number in range(55):
        make_act(site_a, f"员{number:02d}")
    make_act(site_a, "查价", "price_rule.saved")
    client = client_for(site_a, lin)

    first = client.get(address(site_a, "audit_log"))
    older = first.content.decode().split('rel="next" href="')[1].split('"')[0]
    second = client.get(address(site_a, "audit_log") + older.replace("&amp;", "&"))
    rules = text_of(client.get(address(site_a, "audit_log", query="group=price_rule")))
    named = text_of(client.get(address(site_a, "audit_log", query="q=员07")))

    assert "员54" in text_of(first)
    assert "员00" not in text_of(first)
    assert "员00" in text_of(second)
    assert "查价" in rules
    assert "员54" not in rules
    assert "员07" in named
    assert "员08" not in named


def test_odd_addresses_show_the_log_all_the_same(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)

    for query in ("before=x", "before=-1", "before=９", "group=drop", "q=%25_%27", "before=1"):
        assert client.get(address(site_a, "audit_log", query=query)).status_code == 200


def test_the_service_role_reads_no_log(site_a: Site, client_for: ClientFor) -> None:
    clerk = people.make_operator(site_a, login="sun", name="Sun", role=Role.SERVICE)

    assert client_for(site_a, clerk).get(address(site_a, "audit_log")).status_code == 403


def test_who_and_what_are_said_in_words(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    with platform_scope("record acts in a test"):
        record("order.cancelled", actor=SYSTEM, site_id=site_a.id, subject=("order", 4711))

    page = text_of(client_for(site_a, lin).get(address(site_a, "audit_log")))

    assert "系统 取消订单 订单 4711" in page


def test_every_kind_of_subject_has_a_word() -> None:
    sources = Path(audit_words.__file__).parents[1].rglob("*.py")
    kinds = {
        kind for path in sources for kind in re.findall(r'subject=\("(\w+)"', path.read_text())
    }

    assert len(kinds) > 10
    assert kinds <= set(audit_words.SUBJECTS)


def test_every_act_that_is_recorded_has_a_name() -> None:
    codes = {
        text.value
        for path in Path(audit_words.__file__).parents[1].rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "record" and call.args
        for text in ast.walk(call.args[0])
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    whole = {code for code in codes if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", code)}

    assert len(whole) > 80
    assert {code for code in whole if not code.endswith("_")} <= set(audit_words.ACTIONS)
