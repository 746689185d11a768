"""Tags and filters: money, times, icons and fields become the markup that the style sheets know."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.template import Context, Template
from django.utils import timezone

from kameng.web import assets
from kameng.web.templatetags.kameng import local_time, money, percent, price, signed_money, yuan


def _render(source: str, **values: object) -> str:
    return Template("{% load kameng %}" + source).render(Context(values))


@pytest.fixture(autouse=True)
def _manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {"icons.svg": "kameng/icons.1.svg", "storefront.css": "kameng/storefront.1.css"}
    monkeypatch.setattr(assets, "load_manifest", lambda *_, **__: paths)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "¥0.00"),
        (123_400, "¥12.34"),
        (123, "¥0.0123"),
        (-50_000, "-¥5.00"),
        (9_999_999_900, "¥999,999.99"),
        (None, "—"),
    ],
)
def test_money_is_grouped_and_exact(amount: int | None, text: str) -> None:
    assert money(amount) == text


def test_signed_money_shows_both_signs_and_none_for_nothing() -> None:
    assert [signed_money(amount) for amount in (120_000, -35_000, 0, None)] == [
        "+¥12.00",
        "-¥3.50",
        "¥0.00",
        "—",
    ]


def test_price_sets_sign_and_cents_small() -> None:
    assert price(9_999_999_900) == (
        '<span class="price"><span class="price-sign">¥</span>999,999'
        '<span class="price-cents">.99</span></span>'
    )


def test_yuan_is_what_a_form_field_takes() -> None:
    assert yuan(12_345_600) == "1234.56"
    assert yuan(None) == ""


@pytest.mark.parametrize(
    ("rate_bps", "text"), [(0, "0%"), (60, "0.6%"), (1250, "12.5%"), (-5, "-0.05%"), (None, "—")]
)
def test_rates_lose_needless_zeros(rate_bps: int | None, text: str) -> None:
    assert percent(rate_bps) == text


def test_times_are_shown_in_the_active_zone() -> None:
    when = datetime(2025, 11, 22, 16, 30, 5, tzinfo=UTC)

    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert local_time(when) == "2025-11-23 00:30"
        assert local_time(when, "second") == "2025-11-23 00:30:05"
    with timezone.override(ZoneInfo("UTC")):
        assert local_time(when, "date") == "2025-11-22"
    assert local_time(None) == "—"


def test_time_tag_carries_the_exact_instant() -> None:
    when = datetime(2025, 11, 22, 16, 30, 5, tzinfo=UTC)

    with timezone.override(ZoneInfo("Asia/Shanghai")):
        html = _render("{{ when|time_tag:'short' }}", when=when)

    assert html == (
        '<time datetime="2025-11-22T16:30:05+00:00" title="2025-11-23 00:30:05">11-23 00:30</time>'
    )


def test_icon_is_hidden_unless_it_is_named() -> None:
    assert _render("{% icon 'home' %}").startswith('<svg class="icon" aria-hidden="true">')
    assert 'icons.1.svg#home"' in _render("{% icon 'home' %}")
    assert 'role="img" aria-label="首页"' in _render("{% icon 'home' label='首页' %}")


def test_icon_name_and_cover_address_are_escaped() -> None:
    assert '"><b>' not in _render("{% icon name %}", name='"><b>')
    assert '"><b>' not in _render("{% cover url %}", url='"><b>')


class _Form(forms.Form):
    account = forms.CharField(label="QQ 号", help_text="5 到 12 位数字", max_length=12)
    note = forms.CharField(label="备注", required=False)
    region = forms.ChoiceField(label="大区", choices=[("qq", "QQ 区")])
    is_agreed = forms.BooleanField(label="同意")


def test_field_ties_label_help_and_error_to_its_control() -> None:
    html = _render("{% field form.account %}", form=_Form({"account": "1" * 13}))

    assert 'class="field is-bad"' in html
    assert 'for="id_account"' in html
    assert 'aria-describedby="id_account-help id_account-error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_account-error" role="alert"><svg' in html


def test_field_marks_what_may_stay_empty_and_wraps_by_kind() -> None:
    form = _Form()

    assert "field-optional" in _render("{% field form.note %}", form=form)
    assert "field-optional" not in _render("{% field form.account %}", form=form)
    assert '<div class="select">' in _render("{% field form.region %}", form=form)
    assert '<label class="check"' in _render("{% field form.is_agreed %}", form=form)
    assert '<span class="affix-text">¥</span>' in _render("{% field form.note '¥' %}", form=form)


def test_error_page_needs_neither_context_nor_database() -> None:
    html = _render(
        "{% include 'web/error.html' with code=404 title='没有这个页面' text='回首页看看' %}"
    ).replace("\n", "")

    assert '<h1 class="outcome-title">没有这个页面</h1>' in html
    assert " style=" not in html
    assert "<script>" not in html
