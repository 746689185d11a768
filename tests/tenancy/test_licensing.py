"""Who runs a shop: handed in, verified or refused, shown, taken down."""

import pytest

from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.tenancy import errors
from kameng.tenancy.licensing import (
    LegalDetails,
    find_licence,
    list_waiting_licences,
    refuse_licence,
    submit_licence,
    take_down_licence,
    verify_licence,
    withdraw_licence,
)
from kameng.tenancy.models import Licence, LicenceKind, LicenceState, Site
from kameng.tenancy.rules import clean_credit_code, is_credit_code
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import change_settings

CODE = "91350100M000100Y43"
REASON = "the main site verifies"


def details(**changes: object) -> LegalDetails:
    values: dict[str, object] = {
        "kind": LicenceKind.COMPANY.value,
        "name": "星河网络有限公司",
        "credit_code": CODE,
        "address": "上海市浦东新区一号",
        "phone": "021-12345678",
        "complaints": "021-87654321",
    }
    return LegalDetails(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code", ["91350100M000100Y43", "91440300708461136T", "9144030071526726XG", "91110000600037341L"]
)
def test_codes_of_real_companies_are_well_made(code: str) -> None:
    assert is_credit_code(code)


@pytest.mark.parametrize(
    "code",
    [
        "",
        "91350100M000100Y44",
        "91350100M000100Y4",
        "91350100M000100Y433",
        "91350100I000100Y43",
        "9135010OM000100Y43",
    ],
)
def test_a_wrong_sign_or_length_is_refused(code: str) -> None:
    assert not is_credit_code(code)


def test_every_changed_sign_is_noticed() -> None:
    code = "91350100M000100Y43"
    for place in range(len(code)):
        for sign in "0123456789ABCDEFGHJKLMNPQRTUWXY":
            if sign != code[place]:
                assert not is_credit_code(code[:place] + sign + code[place + 1 :])


def test_a_code_is_compared_in_one_form() -> None:
    assert clean_credit_code(" 9135 0100-m000100y43 ") == "91350100M000100Y43"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 9},
        {"credit_code": "123"},
        {"name": ""},
        {"address": ""},
        {"phone": "call me"},
        {"complaints": ""},
        {"kind": LicenceKind.EXEMPT.value},
    ],
)
def test_bad_details_are_refused_and_nothing_is_kept(
    changes: dict[str, object], site_a: Site
) -> None:
    with site_scope(site_a.id), pytest.raises(errors.LicenceInvalid):
        submit_licence(details(**changes), actor=SYSTEM)
    with site_scope(site_a.id):
        assert not Licence.objects.exists()


def test_verified_details_are_shown_and_stay_until_others_are(site_a: Site) -> None:
    with site_scope(site_a.id):
        first = submit_licence(details(), actor=SYSTEM)
        assert get_site_view(site_a.id).settings.legal == ()
    with platform_scope(REASON):
        verify_licence(first.id, actor=SYSTEM)
    shown = get_site_view(site_a.id).settings.legal_facts
    assert (shown["name"], shown["credit_code"]) == ("星河网络有限公司", "91350100M000100Y43")

    with site_scope(site_a.id):
        change_settings(site_id=site_a.id, changes={"slogan": "新"}, actor=SYSTEM)
        second = submit_licence(details(name="新公司"), actor=SYSTEM)
        assert get_site_view(site_a.id).settings.legal_facts["name"] == "星河网络有限公司"
    with platform_scope(REASON):
        refuse_licence(second.id, note="名称不符", actor=SYSTEM)
        with pytest.raises(errors.LicenceNotFound):
            verify_licence(second.id, actor=SYSTEM)
    assert get_site_view(site_a.id).settings.legal_facts["name"] == "星河网络有限公司"

    with site_scope(site_a.id):
        third = submit_licence(details(name="新公司"), actor=SYSTEM)
    with platform_scope(REASON):
        verify_licence(third.id, actor=SYSTEM)
        states = dict(Licence.unscoped.values_list("id", "state"))
    assert get_site_view(site_a.id).settings.legal_facts["name"] == "新公司"
    assert states == {
        first.id: LicenceState.REPLACED,
        second.id: LicenceState.REFUSED,
        third.id: LicenceState.VERIFIED,
    }


def test_handing_in_again_replaces_what_waits_and_the_same_is_the_same(site_a: Site) -> None:
    with site_scope(site_a.id):
        first = submit_licence(details(), actor=SYSTEM)
        again = submit_licence(details(credit_code="91350100 m000100y43"), actor=SYSTEM)
        other = submit_licence(details(phone="400 800 8000"), actor=SYSTEM)
        assert (again.id, other.id == first.id) == (first.id, False)
        assert [row.id for row in list_waiting_licences()] == [other.id]
        withdraw_licence(actor=SYSTEM)
        with pytest.raises(errors.LicenceNotFound):
            withdraw_licence(actor=SYSTEM)


def test_only_the_main_site_verifies(site_a: Site) -> None:
    with site_scope(site_a.id):
        made = submit_licence(details(), actor=SYSTEM)
        with pytest.raises(PermissionError):
            verify_licence(made.id, actor=SYSTEM)


def test_another_operator_takes_the_details_down(site_a: Site, site_b: Site) -> None:
    for site in (site_a, site_b):
        with site_scope(site.id):
            made = submit_licence(details(), actor=SYSTEM)
        with platform_scope(REASON):
            verify_licence(made.id, actor=SYSTEM)
    with site_scope(site_a.id):
        take_down_licence(actor=SYSTEM)
        assert find_licence(LicenceState.VERIFIED) is None
    assert get_site_view(site_a.id).settings.legal == ()
    assert get_site_view(site_b.id).settings.legal_facts["name"] == "星河网络有限公司"


def test_the_main_sites_word_counts_for_its_sub_sites_alone(main_site: Site, site_a: Site) -> None:
    assert not get_site_view(site_a.id).is_preparing
    with site_scope(main_site.id):
        change_settings(site_id=main_site.id, changes={"licence_required": True}, actor=SYSTEM)
    assert get_site_view(site_a.id).is_preparing
    assert not get_site_view(main_site.id).is_preparing
    with site_scope(site_a.id):
        made = submit_licence(details(), actor=SYSTEM)
        change_settings(site_id=site_a.id, changes={"slogan": "新"}, actor=SYSTEM)
    assert get_site_view(site_a.id).is_preparing
    with platform_scope(REASON):
        verify_licence(made.id, actor=SYSTEM)
    assert not get_site_view(site_a.id).is_preparing
