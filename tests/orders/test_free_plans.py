"""Plans that cost nothing: opened by the same way without a payment, once for each person."""

import pytest

from kameng.catalog.models import Product, Variant
from kameng.core.scope import platform_scope
from kameng.ledger.models import Transfer
from kameng.orders import errors
from kameng.orders.models import FreeOpening, PaidBy
from kameng.orders.rules import State, plain_contact
from kameng.orders.services.buying_plans import Checkout, order_shop
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.errors import PlanNotSold
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_customer
from tests.plan_shop import (
    YUAN,
    PlanShop,
    checkout_of,
    fulfil,
    new_shop,
    open_plan_shop,
    order_of,
    place_term,
    sell_plan,
    terms_of,
)


@pytest.fixture
def plans(main_site: Site) -> PlanShop:
    """Two plans on sale."""
    return open_plan_shop(main_site)


def give(plans: PlanShop, *, days: int | None) -> Variant:
    """Offer the smaller plan for nothing."""
    with platform_scope("a test reads the goods"):
        product = Product.unscoped.get(id=plans.month.product_id)
    return sell_plan(product, plan=plans.basic, days=days, amount=0)


def guest(plans: PlanShop, variant: Variant, *, contact: str, key: str = "") -> Checkout:
    """Return the checkout of a guest with a contact of choice."""
    made = checkout_of(plans, variant, key=key)
    object.__setattr__(made.buyer, "contact", contact)
    return made


def open_free(plans: PlanShop, checkout: Checkout, slug: str) -> PlacedOrder:
    """Order a free shop."""
    with site_scope(plans.main.id):
        return order_shop(checkout, shop=new_shop(slug))


def test_a_trial_opens_without_a_payment_and_ends_like_every_term(plans: PlanShop) -> None:
    trial = give(plans, days=14)

    placed = open_free(plans, guest(plans, trial, contact="he@example.com"), "trial-a")

    assert (placed.state, placed.payment_no, placed.total_amount) == (State(2), None, 0)
    done = fulfil(plans, placed)
    site = Site.objects.get(slug="trial-a")
    (term,) = terms_of(site)
    order = order_of(plans, placed)
    assert (order.state, order.paid_by) == (State.DELIVERED, PaidBy.FREE)
    assert done.done_at is not None
    assert site.expires_at == term.ends_at
    assert term.ends_at is not None
    assert ((term.ends_at - term.starts_at).days, term.value_amount) == (14, 0)
    with platform_scope("a test looks for money"):
        assert not Transfer.unscoped.exists()


@pytest.mark.parametrize("again", ["he@example.com", "HE@example.com", "he+2@example.com"])
def test_one_person_tries_once_and_nothing_is_kept_of_the_second(
    plans: PlanShop, again: str
) -> None:
    trial, other = give(plans, days=14), give(plans, days=7)
    open_free(plans, guest(plans, trial, contact="he@example.com"), "trial-a")

    for variant in (trial, other):
        with pytest.raises(errors.FreeOnce):
            open_free(plans, guest(plans, variant, contact=again), "trial-b")

    open_free(plans, guest(plans, trial, contact="else@example.com"), "trial-b")
    with site_scope(plans.main.id):
        assert FreeOpening.objects.count() == 2


def test_a_customer_and_a_member_of_staff_are_known_by_their_accounts(plans: PlanShop) -> None:
    trial = give(plans, days=14)
    mei = make_customer(plans.main)
    with site_scope(plans.main.id):
        order_shop(checkout_of(plans, trial, customer=mei), shop=new_shop("trial-a", user_id=77))

    with site_scope(plans.main.id):
        with pytest.raises(errors.FreeOnce):
            order_shop(checkout_of(plans, trial, customer=mei), shop=new_shop("trial-b"))
        with pytest.raises(errors.FreeOnce):
            order_shop(
                guest(plans, trial, contact="new@example.com"),
                shop=new_shop("trial-b", user_id=77),
            )


def test_the_same_request_again_gets_its_first_answer(plans: PlanShop) -> None:
    trial = give(plans, days=14)
    checkout = guest(plans, trial, contact="he@example.com", key="k")

    first, again = (open_free(plans, checkout, "trial-a") for _ in range(2))

    assert (first.order_id, again.is_repeat) == (again.order_id, True)


def test_a_trial_is_prolonged_by_paying_and_never_by_another_trial(plans: PlanShop) -> None:
    trial = give(plans, days=14)
    placed = open_free(plans, guest(plans, trial, contact="he@example.com"), "trial-a")
    fulfil(plans, placed)
    site = Site.objects.get(slug="trial-a")

    with pytest.raises(PlanNotSold):
        place_term(plans, site, variant=trial)
    fulfil(plans, place_term(plans, site))

    first, second = terms_of(site)
    site.refresh_from_db()
    assert second.starts_at == first.ends_at
    assert (site.expires_at, second.value_amount) == (second.ends_at, 30 * YUAN)


def test_a_plan_that_is_free_for_good_can_be_changed_for_a_paid_one(plans: PlanShop) -> None:
    free = give(plans, days=None)
    fulfil(plans, open_free(plans, guest(plans, free, contact="he@example.com"), "free-a"))
    site = Site.objects.get(slug="free-a")
    assert site.expires_at is None

    fulfil(plans, place_term(plans, site, variant=plans.year))

    site.refresh_from_db()
    assert site.plan_id == plans.pro.id
    assert site.expires_at == terms_of(site)[-1].ends_at


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("A.b+x@Example.com", "a.b@example.com"),
        ("13800000000", "13800000000"),
        ("a@b", "a@b"),
        ("+x@b", "@b"),
    ],
)
def test_one_mailbox_is_one_person(given: str, plain: str) -> None:
    assert plain_contact(given) == plain
