"""Card keys in the back office: dry run, import, batches, finding a key, seeing it in clear."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from kameng.accounts.models import Role
from kameng.catalog.models import DeliveryKind, ImportJob, Variant
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardBatch, CardKey, KeyState
from kameng.inventory.selectors import forget_stock
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.factories import make_card_keys, make_product, make_variant

ClientFor = Callable[..., Client]
PASTED = "A1B2----SECRET-0001\nA1B3----SECRET-0002\n\nA1B2----SECRET-0001\n"


@pytest.fixture
def variant(main_site: Site) -> Variant:
    """A face value that is delivered as keys."""
    forget_stock()
    return make_variant(make_product(main_site, title="点卡"), name="100元")


def key_form(variant: Variant, **changes: object) -> dict[str, object]:
    """Return the form of an import as a browser sends it."""
    values = {"variant_id": variant.id, "label": "", "cost_amount": "", "fmt": "auto"}
    return values | {"pasted": PASTED} | changes


def count_keys(site: Site) -> int:
    """Return how many keys a site holds."""
    with site_scope(site.id):
        return CardKey.objects.count()


def test_pasted_keys_are_looked_through_first_and_stored_after_a_word(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)

    checked = client.post(address(main_site, "key_imports"), key_form(variant), follow=True)

    text = text_of(checked)
    assert "2 可以导入" in text
    assert "1 重复，会跳过" in text
    assert "与第 1 行重复" in text
    assert "SECRET-0001" not in checked.content.decode()
    assert count_keys(main_site) == 0

    with site_scope(main_site.id):
        job = ImportJob.objects.get()
    act = address(main_site, "run_key_import", job.id)
    done = client.post(act, {"action": "confirm"}, follow=True)
    again = client.post(act, {"action": "confirm"})

    assert "2 张卡密已上架" in text_of(done)
    assert again.status_code == 409
    assert count_keys(main_site) == 2


def test_a_file_is_taken_as_pasted_text_is(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    form = key_form(variant, pasted="", file=SimpleUploadedFile("keys.txt", PASTED.encode()))

    response = client_for(main_site, ada).post(address(main_site, "key_imports"), form)

    assert response.status_code == 303
    with site_scope(main_site.id):
        job = ImportJob.objects.get()
    assert (job.filename, job.options["report"]["key_count"]) == ("keys.txt", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"pasted": ""},
        {"pasted": "  \n "},
        {"variant_id": "987654"},
        {"variant_id": "x"},
        {"fmt": "magic"},
        {"cost_amount": "-1"},
        {"cost_amount": "１"},
        {"label": "长" * 81},
    ],
)
def test_bad_input_starts_no_import(
    changes: dict[str, str],
    main_site: Site,
    ada: people.Staff,
    variant: Variant,
    client_for: ClientFor,
) -> None:
    form = key_form(variant) | changes

    response = client_for(main_site, ada).post(address(main_site, "key_imports"), form)

    assert response.status_code == 400
    with site_scope(main_site.id):
        assert ImportJob.objects.count() == 0


def test_keys_are_not_imported_for_goods_without_keys(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, delivery_kind=DeliveryKind.MANUAL)
    form = key_form(make_variant(product))

    response = client_for(main_site, ada).post(address(main_site, "key_imports"), form)

    assert response.status_code == 400
    assert count_keys(main_site) == 0


def test_a_batch_is_withdrawn_and_put_back(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    make_card_keys(variant, 3)
    client = client_for(main_site, ada)
    with site_scope(main_site.id):
        batch = CardBatch.objects.get()
    url = address(main_site, "move_batch", batch.id)

    withdrawn = client.post(url, {"action": "withdraw"}, follow=True)
    with site_scope(main_site.id):
        assert CardKey.objects.filter(state=KeyState.WITHDRAWN).count() == 3
    client.post(url, {"action": "restore"})

    assert "3 张没卖出的卡密停售" in text_of(withdrawn)
    with site_scope(main_site.id):
        assert CardKey.objects.filter(state=KeyState.UNSOLD).count() == 3


def test_a_key_is_found_by_its_text_and_shown_masked(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    client.post(address(main_site, "key_imports"), key_form(variant))
    with site_scope(main_site.id):
        job = ImportJob.objects.get()
    client.post(address(main_site, "run_key_import", job.id), {"action": "confirm"})

    found = client.post(address(main_site, "find_key"), {"text": "A1B3----SECRET-0002"})
    missing = client.post(address(main_site, "find_key"), {"text": "NOT-THERE"})
    empty = client.post(address(main_site, "find_key"), {"text": ""})

    assert "点卡 100元" in text_of(found)
    assert "没有找到这张卡密" in text_of(missing)
    assert empty.status_code == 400


def test_a_key_is_shown_in_clear_for_a_reason_that_is_kept(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    (key,) = make_card_keys(variant, ["TOP-SECRET-77"])
    client = client_for(main_site, ada)
    url = address(main_site, "card_key", key.id)

    masked = client.get(url)
    refused = client.post(url, {"reason": "  "})
    shown = client.post(url, {"reason": "买家投诉"})

    assert "TOP-SECRET-77" not in masked.content.decode() + refused.content.decode()
    assert refused.status_code == 400
    assert "TOP-SECRET-77" in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    with platform_scope("read the log in a test"):
        entries = list(list_entries(site_id=main_site.id, action="card_key.revealed"))
    assert [(entry.subject_id, entry.detail["reason"]) for entry in entries] == [
        (str(key.id), "买家投诉")
    ]


def test_the_goods_role_imports_keys_and_sees_none_in_clear(
    main_site: Site, variant: Variant, client_for: ClientFor
) -> None:
    (key,) = make_card_keys(variant, ["TOP-SECRET-78"])
    clerk = people.make_operator(main_site, login="qian", name="Qian", role=Role.GOODS)
    client = client_for(main_site, clerk)

    assert client.get(address(main_site, "key_imports")).status_code == 200
    answer = client.post(address(main_site, "card_key", key.id), {"reason": "看看"})
    assert answer.status_code == 403
    assert client.get(address(main_site, "find_key")).status_code == 403


def test_a_sub_site_reaches_no_key_of_the_main_site(
    main_site: Site, site_a: Site, lin: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    (key,) = make_card_keys(variant, ["TOP-SECRET-79"])
    client = client_for(site_a, lin)
    with site_scope(main_site.id):
        batch = CardBatch.objects.get()

    found = client.post(address(site_a, "find_key"), {"text": "TOP-SECRET-79"})
    answers = [
        client.post(address(site_a, "card_key", key.id), {"reason": "x"}),
        client.get(address(site_a, "card_batch", batch.id)),
        client.post(address(site_a, "move_batch", batch.id), {"action": "withdraw"}),
        client.get(address(site_a, "variant_keys", variant.id)),
    ]

    assert "没有找到这张卡密" in text_of(found)
    assert [answer.status_code for answer in answers] == [404, 404, 404, 403]
    assert client.post(address(site_a, "key_imports"), key_form(variant)).status_code == 400
    with site_scope(main_site.id):
        assert CardKey.objects.get().state == KeyState.UNSOLD


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": "长" * 81}, "最多 80 个字，现在有 81 个。"),
        ({"cost_amount": "9" * 12}, "应在 0.00 到 1000000.00 元之间。"),
        ({"cost_amount": "１２"}, "只填数字，例如 12.50。"),
        ({"cost_amount": "-1"}, "只填数字，例如 12.50。"),
    ],
)
def test_what_is_typed_wrong_is_said_plainly_and_kept(
    main_site: Site,
    ada: people.Staff,
    variant: Variant,
    client_for: ClientFor,
    changes: dict[str, str],
    said: str,
) -> None:
    response = client_for(main_site, ada).post(
        address(main_site, "key_imports"), key_form(variant, **changes)
    )

    assert response.status_code == 400
    assert said in text_of(response)
    assert "SECRET-0002" in response.content.decode()  # in the field, as it was pasted
    with site_scope(main_site.id):
        assert not ImportJob.objects.exists()


def test_no_face_value_is_chosen_beforehand(
    main_site: Site, ada: people.Staff, variant: Variant, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    chosen = f'<option value="{variant.id}" selected>'

    blank = client.get(address(main_site, "key_imports")).content.decode()
    named = client.get(address(main_site, "key_imports", query=f"variant={variant.id}"))
    unnamed = client.post(address(main_site, "key_imports"), key_form(variant, variant_id=""))

    assert chosen not in blank
    assert chosen in named.content.decode()
    assert unnamed.status_code == 400
    assert "请选择一项。" in text_of(unnamed)
    with site_scope(main_site.id):
        assert not ImportJob.objects.exists()
