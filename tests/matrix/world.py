"""Two sub-sites with something of every kind, and strings of A that nobody else may see."""

import datetime as dt
import io
import zlib
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from PIL import Image

from kameng.accounts.models import Customer, Role
from kameng.accounts.rules import permissions_of
from kameng.accounts.services.approving import ApprovalWish, ask_approval
from kameng.accounts.services.custom_roles import RoleWish, make_custom_role
from kameng.accounts.services.handing_over import offer_site
from kameng.accounts.services.joining import InvitationWish, make_invitation
from kameng.catalog.models import Variant
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.insight.services.archiving import ask_archive, write_archive
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import site_account_amount
from kameng.messaging.models import OperatorNotice
from kameng.messaging.operator_notices import NoticeDraft, post_notices
from kameng.messaging.services import EmailDraft, InboxDraft, send_email, send_inbox
from kameng.orders.models import RefundTo
from kameng.orders.services.delivering import write_note
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.pages.models import PageKind
from kameng.pages.services.drafting import NewPage, create_page
from kameng.pages.services.dressing import plan_skin
from kameng.pages.services.picturing import add_picture
from kameng.payments.models import Gateway, GatewayRefund, Payment, TopUp
from kameng.payments.services.disputing import Complaint, file_dispute
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.prepaying import book_prepaid
from kameng.payments.services.returning import ReturnWish, return_top_up
from kameng.reconciliation.models import Bill, BillFile, Case, CaseKind
from kameng.settlement.claims import site_owner
from kameng.settlement.models import PayoutAccount, Source
from kameng.settlement.services.payees import ensure_payee
from kameng.settlement.services.requesting import WithdrawalWish, request_withdrawal
from kameng.settlement.services.terms import change_terms
from kameng.tenancy.claiming import claim_hosts
from kameng.tenancy.licensing import LegalDetails, submit_licence
from kameng.tenancy.models import DomainClaim, LicenceKind, Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import Shop, notify, open_shop, order, payment_of
from tests.factories import fund_wallet, make_card_keys, make_customer
from tests.own_goods import allow_own_goods, make_own_variant
from tests.payments.filling import pay
from tests.settlement.world import PLAIN

CANARIES = ("CANARY-A", "canary-a@", "canarya")
STAFF = Actor(kind="user", actor_id=1, name="CANARY-A-staff", ip="192.0.2.77")
OFFERER = Actor(kind="system", name="CANARY-A-offerer")  # offers what only an owner may


@dataclass(slots=True)
class World:
    """Ids of site A's things by the name that routes give them."""

    main: Site
    site_a: Site
    site_b: Site
    shop: Shop
    customer: Customer
    outsider: Customer
    own: Variant  # of the goods that site A sells alone
    ids: dict[str, Any] = field(default_factory=dict)


def build_world(main: Site, site_a: Site, site_b: Site) -> World:
    """Fill site A: orders in several states, money, messages, mail, notes, audit."""
    shop = open_shop(main, site_a, keys=0)
    make_card_keys(shop.variant, [f"CANARY-A-KEY-{n}" for n in range(20)])
    allow_own_goods(site_a)
    own = make_own_variant(site_a, title="Goods of A", keys=0)
    make_card_keys(own, [f"CANARY-A-OWN-{n}" for n in range(5)])
    customer = make_customer(site_a, login="canary-a@example.com", nickname="CANARY-A-nick")
    outsider = make_customer(site_b, login="outsider@example.com", nickname="Bo")
    fund_wallet(customer, 5_000_000)  # a wallet holds at most 1000 yuan
    fund_wallet(outsider, 10_000_000)
    paid = order(shop, customer=customer, by_wallet=True)
    waiting = order(shop, customer=customer)
    guest = order(shop, contact="canary-a@guest.example.com")
    notify(shop, payment_of(shop, guest))
    with site_scope(site_a.id):
        refund_order(
            order_id=order(shop, customer=customer, by_wallet=True).order_id,
            wish=RefundWish(
                amount=None,
                refund_to=RefundTo.WALLET,
                reason="CANARY-A-reason",
                idempotency_key="world",
            ),
            actor=STAFF,
        )
        write_note(order_id=paid.order_id, text="CANARY-A-note", actor=STAFF)
        _messages(site_a.id, customer.id)
        top_up, _payment = start_top_up(
            customer_id=customer.id, amount=500_000, choice=shop.choice, idempotency_key="world"
        )
        payment = Payment.objects.filter(subject_id=waiting.order_id, purpose=1).get()
    world = World(main, site_a, site_b, shop, customer, outsider, own=own)
    world.ids = _ids(world, paid.order_no, waiting.order_no, payment, top_up)
    return world


def _messages(site_id: int, customer_id: int) -> None:
    send_inbox(
        [
            InboxDraft(
                site_id=site_id,
                customer_id=customer_id,
                title="CANARY-A-title",
                body="CANARY-A-body",
                dedupe_key="world",
            )
        ]
    )
    send_email(
        [
            EmailDraft(
                site_id=site_id,
                to="canary-a@example.com",
                subject="CANARY-A-subject",
                body="CANARY-A-mail",
                dedupe_key="world",
            )
        ]
    )
    with transaction.atomic():
        record("world.built", actor=STAFF, site_id=site_id, detail={"what": "CANARY-A-detail"})


def _ids(
    world: World, paid_no: str, open_no: str, payment: Payment, top_up: TopUp
) -> dict[str, Any]:
    from kameng.core.models import AuditEntry
    from kameng.messaging.models import Email

    with site_scope(world.site_a.id):
        email = Email.objects.latest("id")
        entry = AuditEntry.objects.filter(site_id=world.site_a.id).latest("id")
        gateway = Gateway.objects.latest("id")
    view = get_site_view(world.site_a.id)
    return {
        "site_slug": world.site_a.slug,
        "order_no": paid_no,
        "open_order_no": open_no,
        "payment_no": payment.payment_no,
        "top_up_no": top_up.top_up_no,
        "customer_id": world.customer.id,
        "email_id": email.id,
        "entry_id": entry.id,
        "gateway_id": gateway.id,
        "product_id": world.own.product_id,
        "variant_id": world.own.id,
        "category_id": world.own.product.category_id,
        "site_id": view.site_id,
        "batch_id": 1,
        "batch_no": "B1",
        "withdrawal_no": _withdrawal_no(world),
        "prepaid_no": _prepaid_no(world),
        **_decisions(world),
        **_books(world),
        "key_id": 1,
        "job_id": 1,
        "rule_id": 1,
        "user_id": 1,
        "plan_id": 1,
        "code": "logo",
        "child_id": 1,
        "claim_id": _domain(world),
        "secret": "x" * 24,
        **_pages(world),
        **_staff(world),
        "notice_id": _notice(world),
        "act": "resend",
        "version": "x",
    }


def _staff(world: World) -> dict[str, int]:
    """Let site A have a role of its own and an invitation that waits."""
    holder = frozenset({"orders.view"})
    with site_scope(world.site_a.id):
        role = make_custom_role(
            RoleWish(name="CANARY-A-role", note="", permissions=holder), holder=holder, actor=STAFF
        )
        wish = InvitationWish(role=Role.VIEWER, login="canary-a@staff.example.com")
        invited = make_invitation(wish, holder=permissions_of("owner"), actor=STAFF)
    return {"role_id": role.id, "invitation_id": invited.invitation.id, "passkey_id": 1}


def _notice(world: World) -> int:
    """Let the main site have told the operator of site A something that nobody has seen."""
    values = {"to": "CANARY-A-heir", "reason": "CANARY-A-reason"}
    key, site_id = "world", world.site_a.id
    post_notices([NoticeDraft(site_id=site_id, kind="offered", dedupe_key=key, values=values)])
    with site_scope(site_id):
        return int(OperatorNotice.objects.get().id)


def _domain(world: World) -> int:
    """Let site A claim a domain that was just looked at, so that nobody is asked about it."""
    now = clock.now()
    seen = {"addresses": [], "v6_addresses": [], "names": [], "texts": ["CANARY-A-record"]}
    with site_scope(world.site_a.id):
        claim = claim_hosts("canary-a.com", with_twin=False, wants_primary=False, actor=STAFF)[0]
        DomainClaim.objects.filter(id=claim.id).update(
            checked_at=now + dt.timedelta(days=1),
            next_check_at=now + dt.timedelta(days=1),
            findings={
                "found": {**seen, "servers": [], "fault": ""},
                "problems": [],
                "answered": True,
                "expected": [],
            },
        )
    return int(claim.id)


def _pages(world: World) -> dict[str, Any]:
    """Let site A have a page that is not published yet, a picture and a skin."""
    picture = io.BytesIO()
    Image.new("RGB", (60, 40), "#3b5bfd").save(picture, "PNG")
    draft = {"id": "canary", "type": "notice", "version": 1, "props": {"text": "CANARY-A-draft"}}
    now = clock.now()
    with site_scope(world.site_a.id):
        page = create_page(
            NewPage(kind=PageKind.LANDING, slug="canary-page", title="CANARY-A-page"),
            content={"root": {}, "sections": [draft]},
            actor=STAFF,
        )
        picture.seek(0)
        stored = add_picture(picture, name="CANARY-A-picture", crop=None, actor=STAFF)
        skin = plan_skin("spring", starts_at=now, ends_at=now + dt.timedelta(days=1), actor=STAFF)
    return {
        "page_id": page.id,
        "slug": "canary-page",
        "picture_id": stored.id,
        "digest": "0" * 16,
        "width": 480,
        "skin_id": skin.id,
        "kind": int(PageKind.HOME),
        "number": 1,
        "key": "bazaar",
        "name": "look",
        "token": "x" * 24,
        **_leaving_ids(world),
    }


def _decisions(world: World) -> dict[str, int]:
    """Let site A have a dispute, a wish that waits, and a top-up on its way back."""
    paid = payment_of(world.shop, order(world.shop, contact="canary-a@disputes.example.com"))
    notify(world.shop, paid)
    with site_scope(world.site_a.id):
        complaint = Complaint(
            dispute_no="CANARY-A-dispute",
            amount=paid.amount,
            held_amount=paid.amount,
            reason="CANARY-A-complaint",
            answer_by=None,
        )
        dispute = file_dispute(payment_id=paid.id, complaint=complaint, actor=STAFF)
        wish = ApprovalWish(
            kind="test.act", permission="money.view", about_id=1, amount=1, reason="CANARY-A-wish"
        )
        approval = ask_approval(wish, actor=STAFF)
        top_up, payment = start_top_up(
            customer_id=world.customer.id,
            amount=300_000,
            choice=world.shop.choice,
            idempotency_key="world-back",
        )
    pay(payment)
    with site_scope(world.site_a.id):
        back = ReturnWish(amount=None, reason="CANARY-A-back", idempotency_key="world-back")
        returned = return_top_up(top_up_id=top_up.id, wish=back, actor=STAFF)
        sent = GatewayRefund.objects.get(refund_no=returned.return_no)
    return {
        "approval_id": approval.id,
        "dispute_id": dispute.id,
        "refund_id": sent.id,
        "return_id": returned.id,
    }


def _prepaid_no(world: World) -> str:
    """Let site A pay in ahead for wholesale."""
    with site_scope(world.site_a.id):
        booked = book_prepaid(
            site_id=world.site_a.id,
            amount=100_000,
            reason="CANARY-A-transfer",
            idempotency_key="world",
            actor=STAFF,
        )
    return booked.prepaid_no


def _books(world: World) -> dict[str, Any]:
    """Let the main site's bill of a day differ about something of site A."""
    day, gateway_id = dt.date(2026, 11, 20), world.shop.choice.gateway_id
    with site_scope(world.main.id):
        bill = Bill.objects.create(site_id=world.main.id, gateway_id=gateway_id, day=day)
        file = BillFile.objects.create(
            site_id=world.main.id,
            bill=bill,
            raw_digest=b"0" * 32,
            compressed=zlib.compress(b"CANARY-A-bill"),
            name="CANARY-A-file",
        )
        case = Case.objects.create(
            site_id=world.main.id,
            bill=bill,
            gateway_id=gateway_id,
            kind=CaseKind.MISSING_HERE,
            subject="payment:CANARY-A-case",
            line_kind="payment",
            own_no="CANARY-A-case",
            subject_site_id=world.site_a.id,
            stake_amount=100,
        )
    return {
        "case_id": case.id,
        "file_id": file.id,
        "day": day.isoformat(),
        "month": "2026-11",
        "kind": int(AccountKind.SITE_MARGIN),
        "owner_id": world.site_a.id,
    }


def _leaving_ids(world: World) -> dict[str, Any]:
    """Let site A hand in who runs it, be written into a file and be offered to somebody."""
    with site_scope(world.site_a.id):
        licence = submit_licence(
            LegalDetails(
                kind=LicenceKind.COMPANY.value,
                name="CANARY-A-company",
                credit_code="91350100M000100Y43",
                address="CANARY-A-address",
                phone="021-12345678",
                complaints="CANARY-A-complaints",
            ),
            actor=STAFF,
        )
        archive = ask_archive(with_contacts=True, actor=STAFF)
        write_archive(archive.id)
        offer_site(
            receiver="canarya-receiver", reason="CANARY-A", is_by_platform=False, actor=OFFERER
        )
    return {"licence_id": licence.id, "archive_id": archive.id}


def _withdrawal_no(world: World) -> str:
    """Let site A ask for a withdrawal to an account whose name must not be seen elsewhere."""
    with site_scope(world.site_a.id):
        payee = ensure_payee(site_owner())
        account = PayoutAccount.objects.create(
            site_id=world.site_a.id,
            payee_id=payee.id,
            account_no="261127000000000001",
            kind="bank",
            account_cipher=b"",
            name_cipher=b"",
            digest=b"0" * 16,
            bank_name="CANARY-A-bank",
            hint="CANARY-A-hint",
            added_by="Lin",
            usable_at="2020-01-01T00:00:00Z",
        )
        margin = site_account_amount(AccountKind.SITE_MARGIN, owner_id=world.site_a.id)
    with site_scope(world.main.id):
        change_terms(site_id=world.main.id, wish=PLAIN, actor=STAFF)
    with site_scope(world.site_a.id):
        made = request_withdrawal(
            owner=site_owner(),
            wish=WithdrawalWish(
                source=Source.MARGIN,
                amount=margin // 200 * 100,
                account_id=account.id,
                idempotency_key="matrix",
            ),
            actor=STAFF,
        )
    return made.withdrawal_no


def routes() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (name, pattern, parameter names) of every route of the program."""

    def walk(patterns: Any, prefix: str, app: str) -> Any:
        for entry in patterns:
            text = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                yield from walk(entry.url_patterns, text, entry.app_name or app)
            elif isinstance(entry, URLPattern):
                names = tuple(entry.pattern.converters)
                before = _parameters(prefix)
                yield f"{app}:{entry.name}", text, (*before, *names)

    return list(walk(get_resolver().url_patterns, "", ""))


def _parameters(prefix: str) -> tuple[str, ...]:
    import re

    return tuple(re.findall(r"<\w+:(\w+)>", prefix))


def fill(pattern: str, values: dict[str, Any]) -> str:
    """Return the path of a pattern with these values."""
    import re

    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m.group(1)]), pattern)


def soon() -> dt.datetime:
    """Return a moment in an hour."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
