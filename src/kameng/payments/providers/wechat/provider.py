"""WeChat Pay behind the port: the wire's bytes over a bounded client.

Everything that moves money carries our own number, so a repeat moves none twice; an answer under a
key of the platform that is not known yet makes it fetch the certificates once, then is read again.
"""

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient, HttpLimits, HttpReply, HttpRequest
from kameng.payments.providers.abilities import (
    Bill,
    BillLine,
    BillNotReady,
    PayoutRequest,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.calling import call, exchange, question
from kameng.payments.providers.port import (
    CallbackRequest,
    Confirmation,
    Notice,
    PaidStatus,
    PayInstruction,
    PayMethod,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundRequest,
)
from kameng.payments.providers.wechat import bills, signing, transfers, wire
from kameng.payments.providers.wechat.certificates import (
    CALL_WAIT,
    CALLBACK_WAIT,
    CertificateStore,
    end_of,
    is_no_list,
    read_certificates,
)
from kameng.payments.providers.wechat.config import FIELDS, Config
from kameng.payments.providers.wechat.signing import PlatformKey, SignatureFault
from kameng.payments.providers.wechat.wire import Answer, Keys

METHODS = (
    PayMethod(
        code="native",
        label=gettext_lazy("微信扫码支付（Native）"),
        devices=("pc", "mobile", "alipay"),
    ),
    PayMethod(
        code="jsapi",
        label=gettext_lazy("微信内支付（JSAPI）"),
        devices=("wechat",),
        needs_payer_id=True,
    ),
    PayMethod(code="h5", label=gettext_lazy("手机浏览器支付（H5）"), devices=("mobile",)),
)
BILL_LIMITS = HttpLimits(read_seconds=20, total_seconds=60, reply_bytes=32 * 1024 * 1024)
CERTIFICATES = "/v3/certificates"
# The platform takes no payment that ends within a minute; one that comes late is known to us.
SOONEST = dt.timedelta(seconds=70)
BILL_HOUR = 10  # of the next day, Beijing time
# A number that no payment of ours has: the query proves both keys and finds nothing.
_PROBE_NO = "kameng-credential-check"


class WechatProvider:
    """WeChat Pay API v3 of an ordinary merchant."""

    kind = "wechat"
    label = gettext_lazy("微信支付")
    methods = METHODS
    fields = FIELDS
    supports_refund = True
    supports_partial_refund = True
    receiver_kinds = (
        (transfers.MERCHANT, gettext_lazy("微信支付商户号")),
        (transfers.OPENID, gettext_lazy("个人（openid）")),
    )
    max_split_bps = 3000
    payout_account_kinds = (("openid", gettext_lazy("微信用户（openid）")),)
    may_come_back = False  # SUCCESS is the last word of a transfer

    def __init__(self, client: HttpClient) -> None:
        self._client = client
        self._certificates = CertificateStore()

    def config_from_form(self, form: Mapping[str, str]) -> Config:
        """Read a console form; raises ConfigInvalid."""
        return Config.from_form(form)

    def config_from_json(self, data: Mapping[str, str]) -> Config:
        """Read a stored configuration; raises ConfigInvalid."""
        return Config.from_json(data)

    # --- payments ---

    def create(self, config: Config, request: PayRequest) -> PayInstruction:
        """Open a payment: a QR code, the bridge inside WeChat, or the phone's WeChat."""
        path, content = wire.build_order(config, request, soonest=now() + SOONEST)
        answer = self._call(config, "POST", path, content)
        return wire.read_order(config, request, answer, now=now(), nonce=_nonce())

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Notice:
        """Verify and read a callback; `unknown_serial` may be mended by `fetch_keys`."""
        return wire.parse_callback(config, callback, keys=self._keys(config), now=now())

    def fetch_keys(self, config: Config) -> bool:
        """Fetch the certificates because a callback named another; true when a new one came.

        Once a minute at most, whatever comes in, and by one caller at a time.
        """
        if not config.takes_certificates:
            return False
        try:
            return self._refresh(config, wait=CALLBACK_WAIT, blocks=False)
        except (ProviderUncertain, ProviderRefused):
            return False

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer as documented: any body goes with 200, a refusal needs 4xx or 5xx."""
        code, message = ("SUCCESS", "OK") if ok else ("FAIL", "refused")
        body = json.dumps({"code": code, "message": message})
        return (200 if ok else 400), body.encode(), "application/json"

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment."""
        target = wire.query_target(config, payment_no, external_no=external_no)
        answer = self._call(config, "GET", target)
        return wire.read_query(config, payment_no, answer, external_no=external_no)

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Close an unpaid payment."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(payment_no, safe='')}/close"
        answer = self._call(config, "POST", path, {"mchid": config.mchid})
        return wire.read_close(answer)

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund a part or the whole under our own number."""
        content = wire.build_refund(request)
        answer = self._call(config, "POST", "/v3/refund/domestic/refunds", content)
        return wire.read_refund(request, answer)

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        target = f"/v3/refund/domestic/refunds/{quote(request.refund_no, safe='')}"
        with question():
            return wire.read_refund_query(request, self._call(config, "GET", target))

    def check(self, config: Config) -> None:
        """Query a payment that cannot exist, and open the certificates where there are any.

        The signed "not found" proves the merchant's key and the platform's, the certificates the
        API v3 key.
        """
        answer = self._call(config, "GET", wire.query_target(config, _PROBE_NO))
        wire.read_query(config, _PROBE_NO, answer)
        if not answer.is_signed:
            raise ProviderUncertain("unsigned_reply")
        reply = exchange(self._client, self._build(config, "GET", CERTIFICATES))
        try:
            self._read_certificates(config, reply, known=self._keys(config))
        except ProviderRefused as fault:
            if config.takes_certificates or not is_no_list(fault):
                raise
        except ProviderUncertain as fault:
            if fault.code != "bad_certificates":
                raise
            raise ProviderRefused("bad_api_v3_key") from None

    # --- who pays ---

    def authorize_url(self, config: Config, *, return_url: str, state: str) -> str:
        """Return where a browser inside WeChat goes so that we learn the payer's openid."""
        query = urlencode(
            {
                "appid": config.appid,
                "redirect_uri": return_url,
                "response_type": "code",
                "scope": "snsapi_base",
                "state": state,
            }
        )
        return f"{config.oauth_url}/connect/oauth2/authorize?{query}#wechat_redirect"

    def read_payer_id(self, config: Config, code: str) -> str:
        """Return the payer's openid for the code that came back."""
        if not config.app_secret:
            raise ProviderRefused("app_secret_missing")
        query = urlencode(
            {
                "appid": config.appid,
                "secret": config.app_secret,
                "code": code,
                "grant_type": "authorization_code",
            }
        )
        url = f"{config.token_url}/sns/oauth2/access_token?{query}"
        body = call(self._client, HttpRequest(method="GET", url=url))
        return wire.read_openid(body)

    # --- bills ---

    def fetch_bill(self, config: Config, day: dt.date) -> Bill:
        """Fetch the trade bill and the fund bill of a day and read them as one."""
        if day >= now().astimezone(wire.BEIJING).date():
            raise BillNotReady
        trades, raw_trades, odd_trades = self._fetch_part(config, "trade", day)
        funds, raw_funds, odd_funds = self._fetch_part(config, "fundflow", day)
        raw = b"\n".join(part for part in (raw_trades, raw_funds) if part)
        return Bill(
            day=day,
            lines=[*trades, *funds],
            unread_lines=[*odd_trades, *odd_funds],
            raw=raw,
            raw_digest=hashlib.sha256(raw).hexdigest(),
        )

    def _fetch_part(
        self, config: Config, kind: str, day: dt.date
    ) -> tuple[list[BillLine], bytes, list[str]]:
        answer = self._call(config, "GET", bills.bill_target(kind, day))
        if answer.code == "STATEMENT_CREATING":
            raise BillNotReady
        place = bills.read_place(config, answer)
        if place is None:
            made_at = dt.datetime.combine(day, dt.time(BILL_HOUR), wire.BEIJING)
            if now() < made_at + dt.timedelta(days=1):
                raise BillNotReady
            return [], b"", []
        request = self._build(config, "GET", place.url)
        reply = exchange(self._client, request, limits=BILL_LIMITS)
        if reply.status != 200:
            raise ProviderUncertain("bad_status")
        plain = bills.unpack(reply.body, place)
        lines, odd = (bills.read_trades if kind == "trade" else bills.read_funds)(plain)
        return lines, plain, odd

    # --- shares ---

    def add_receiver(self, config: Config, receiver: Receiver) -> None:
        """Make a receiver of shares known; the name goes encrypted."""
        serial, sealed = self._seal(config, receiver.name)
        content = transfers.build_receiver(config, receiver, sealed_name=sealed)
        answer = self._call(config, "POST", transfers.ADD_PATH, content, serial=serial)
        transfers.read_receiver(answer, is_gone=False)

    def remove_receiver(self, config: Config, receiver: Receiver) -> None:
        """Make the platform forget a receiver."""
        content = transfers.build_forgotten(config, receiver)
        answer = self._call(config, "POST", transfers.DELETE_PATH, content)
        transfers.read_receiver(answer, is_gone=True)

    def split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Hand a share over under our own number."""
        serial, sealed = self._seal(config, request.receiver.name)
        content = transfers.build_split(config, request, sealed_name=sealed)
        answer = self._call(config, "POST", transfers.SPLIT_PATH, content, serial=serial)
        return transfers.read_split(request, answer)

    def query_split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Ask what became of a split or of an ending."""
        with question():
            answer = self._call(config, "GET", transfers.split_target(request))
            if transfers.unseen(answer):
                return _unseen()
            return transfers.read_split(request, answer)

    def finish_split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Free what is left of a payment."""
        content = transfers.build_finish(request)
        answer = self._call(config, "POST", transfers.FINISH_PATH, content)
        return transfers.read_split(request, answer, is_ending=True)

    def return_split(self, config: Config, request: SplitReturnRequest) -> TransferOutcome:
        """Take a share back under our own number."""
        content = transfers.build_return(request)
        answer = self._call(config, "POST", transfers.RETURN_PATH, content)
        return transfers.read_return(request, answer)

    def query_split_return(self, config: Config, request: SplitReturnRequest) -> TransferOutcome:
        """Ask what became of a return."""
        with question():
            answer = self._call(config, "GET", transfers.return_target(request))
            return _unseen() if transfers.unseen(answer) else transfers.read_return(request, answer)

    # --- payouts ---

    def can_pay_out(self, config: Config) -> bool:
        """Every merchant's account can."""
        return True

    def pay_out(self, config: Config, request: PayoutRequest) -> TransferOutcome:
        """Send money to a user, who confirms it in WeChat."""
        name = request.name if request.amount >= transfers.NAME_BELOW else ""
        serial, sealed = self._seal(config, name)
        content = transfers.build_payout(config, request, sealed_name=sealed)
        answer = self._call(config, "POST", transfers.PAYOUT_PATH, content, serial=serial)
        return transfers.read_payout(request, answer)

    def query_payout(self, config: Config, request: PayoutRequest) -> TransferOutcome:
        """Ask what became of a payout."""
        with question():
            answer = self._call(config, "GET", transfers.payout_target(request))
            return _unseen() if transfers.unseen(answer) else transfers.read_payout(request, answer)

    def confirm_fields(self, config: Config, confirmation: str) -> Mapping[str, str]:
        """Return what a page inside WeChat hands to its bridge, so that the receiver confirms."""
        return transfers.confirm_fields(config, confirmation)

    # --- calls and keys ---

    def _call(
        self,
        config: Config,
        method: str,
        target: str,
        content: Mapping[str, Any] | None = None,
        *,
        serial: str = "",
    ) -> Answer:
        self._freshen(config)
        request = self._build(config, method, target, content, serial=serial)
        reply = exchange(self._client, request)
        try:
            return wire.read_answer(reply, keys=self._keys(config), now=now())
        except SignatureFault:
            if not config.takes_certificates:
                raise ProviderUncertain(wire.UNKNOWN_SERIAL) from None
        self._refresh(config, wait=CALL_WAIT, blocks=True)
        try:
            return wire.read_answer(reply, keys=self._keys(config), now=now())
        except SignatureFault:
            raise ProviderUncertain(wire.UNKNOWN_SERIAL) from None

    def _build(
        self,
        config: Config,
        method: str,
        target: str,
        content: Mapping[str, Any] | None = None,
        *,
        serial: str = "",
    ) -> HttpRequest:
        named = serial or config.public_key_id
        call = wire.Call(method=method, target=target, content=content, serial=named)
        return wire.build_request(config, call, now=now(), nonce=_nonce())

    def _keys(self, config: Config) -> Keys:
        keys = dict(self._certificates.list_keys(config)) if config.takes_certificates else {}
        if config.takes_public_key:
            key = signing.load_public_key(config.public_key)
            keys[config.public_key_id] = PlatformKey(serial=config.public_key_id, key=key)
        return keys

    def _refresh(self, config: Config, *, wait: dt.timedelta, blocks: bool) -> bool:
        def fetch(known: Keys) -> dict[str, PlatformKey]:
            reply = exchange(self._client, self._build(config, "GET", CERTIFICATES))
            keys = {**self._keys(config), **known}
            try:
                return self._read_certificates(config, reply, known=keys)
            except ProviderRefused as fault:
                # While a merchant goes over to the public key, the certificates may be gone.
                if config.takes_public_key and is_no_list(fault):
                    return {}
                raise

        return self._certificates.refresh(config, fetch, wait=wait, blocks=blocks)

    def _freshen(self, config: Config) -> None:
        """Fetch the certificates when the list is missing or old; do with those that we have."""
        if not config.takes_certificates or not self._certificates.is_stale(config):
            return
        try:
            self._refresh(config, wait=CALL_WAIT, blocks=True)
        except ProviderUncertain:
            if not self._keys(config):
                raise

    def _read_certificates(
        self, config: Config, reply: HttpReply, *, known: Keys
    ) -> dict[str, PlatformKey]:
        if reply.status == 200:
            return read_certificates(config, reply, known=known, now=now())
        try:
            answer = wire.read_answer(reply, keys=known, now=now())
        except SignatureFault as fault:
            raise ProviderUncertain(fault.code) from None
        raise answer.refuse()

    def _seal(self, config: Config, text: str) -> tuple[str, str]:
        """Return under which key of the platform a text was encrypted, and the result."""
        if not text:
            return "", ""
        self._freshen(config)
        keys = self._keys(config)
        if config.takes_public_key:
            key = keys[config.public_key_id]
        elif keys:
            key = max(keys.values(), key=end_of)
        else:
            raise ProviderUncertain("no_platform_key")
        return key.serial, signing.encrypt_for(key.key, text)


def _nonce() -> str:
    return secrets.token_hex(16)


def _unseen() -> TransferOutcome:
    return TransferOutcome(status=TransferStatus.UNKNOWN, reason="not_seen")
