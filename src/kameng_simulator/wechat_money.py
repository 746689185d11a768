"""WeChat Pay's profit sharing and transfers to users, over the simulator's transfers.

A share, its return and an ending are PROCESSING in the first answer and through at the next look;
a transfer waits until its receiver confirms it on a page of its own.
"""

import base64
import html
import json
from collections.abc import Callable
from typing import Any

from kameng_simulator.moves import Moves, Transfer
from kameng_simulator.pages import render_page, render_problem
from kameng_simulator.store import Payment, Store
from kameng_simulator.web import Reply, Request, redirect, reply_json
from kameng_simulator.wechat_wire import Keys, Refused, digest, print_time

KIND = "wechat"
SPLIT_LIMIT_BPS = 3000
MAX_SPLITS = 50
NAMED_FROM_FEN = 200_000
WRONG_NAME = "不符"  # in a receiver's name: the platform knows them by another
UNNAMED_BELOW_FEN = 30
SCENES = {"1000": {"活动名称", "奖励说明"}, "1005": {"岗位类型", "报酬说明"}}
PAYOUT_STATES = {
    "wait": "WAIT_USER_CONFIRM",
    "done": "SUCCESS",
    "refused": "CANCELLED",
    "expired": "FAIL",
}
PAYOUT_ENDS = {"take": "done", "refuse": "refused", "expire": "expired"}
PAYOUT_REASONS = {"refused": "RECEIVE_REFUSED", "expired": "OVERDUE_CLOSE"}


class Money:
    """Shares, returns and transfers of one merchant."""

    def __init__(
        self, store: Store, moves: Moves, *, keys: Keys, find: Callable[[str], Payment]
    ) -> None:
        self._store = store
        self._moves = moves
        self._keys = keys
        self._find = find

    def serve(self, request: Request, parts: list[str], content: dict[str, Any]) -> dict[str, Any]:
        """Answer a call of these parts of the API, in a transaction; raise Refused."""
        serial, query = request.headers.get("wechatpay-serial", ""), request.query
        match request.method, parts:
            case "POST", ["profitsharing", "receivers", "add"]:
                return self._add_receiver(content, serial)
            case "POST", ["profitsharing", "receivers", "delete"]:
                return self._delete_receiver(content)
            case "POST", ["profitsharing", "orders"]:
                return self._split(content, serial)
            case "POST", ["profitsharing", "orders", "unfreeze"]:
                return self._finish(content)
            case "GET", ["profitsharing", "orders", number]:
                payment = self._find(query.get("transaction_id", ""))
                return self._print_split(self._known("split", number, payment), payment)
            case "POST", ["profitsharing", "return-orders"]:
                return self._return(content)
            case "GET", ["profitsharing", "return-orders", number]:
                return self._print_return(self._known("split_return", number))
            case "POST", ["fund-app", "mch-transfer", "transfer-bills"]:
                return self._pay_out(content, serial)
            case "GET", ["fund-app", "mch-transfer", "transfer-bills", "out-bill-no", number]:
                return self._print_payout(self._known("payout", number))
        raise Refused(404, "RESOURCE_NOT_EXISTS", "接口不存在")

    def left_of(self, payment: Payment) -> int:
        """Return what is left of a payment to give back: neither refunded nor handed over."""
        return payment.paid_fen - payment.refunded_fen - self._handed_over(payment)

    def _handed_over(self, payment: Payment) -> int:
        moved = self._moves.list_transfers(KIND, payment_id=payment.id)
        signs = {"split": 1, "split_return": -1}
        return sum(signs.get(each.kind, 0) * each.amount_fen for each in moved)

    def _known(self, kind: str, number: str, payment: Payment | None = None) -> Transfer:
        found = self._moves.find_transfer(KIND, kind, number)
        if found is None or (payment is not None and found.payment_id != payment.id):
            raise Refused(404, "RESOURCE_NOT_EXISTS", "记录不存在")
        return found

    def _open(self, **values: Any) -> tuple[Transfer, bool]:
        try:
            return self._moves.open_transfer({"gateway": KIND, **values})
        except ValueError:
            raise Refused(400, "INVALID_REQUEST", "商户单号已用于不同的请求参数") from None

    # --- receivers ---

    def _receivers(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._store.remember("wechat_receivers", lambda: "{}"))
        return found

    def _add_receiver(self, content: dict[str, Any], serial: str) -> dict[str, Any]:
        self._require_app(content)
        kind, account = str(content["type"]), str(content["account"])
        if kind not in {"MERCHANT_ID", "PERSONAL_OPENID"} or not content.get("relation_type"):
            raise Refused(400, "PARAM_ERROR", "接收方类型或关系类型不合法")
        name = self._keys.decrypt(content["name"], serial=serial) if content.get("name") else ""
        if kind == "MERCHANT_ID" and not name:
            raise Refused(400, "PARAM_ERROR", "接收方类型为商户号时，名称必填")
        if WRONG_NAME in name:
            raise Refused(400, "INVALID_REQUEST", "分账接收方名称不匹配")
        listed = {**self._receivers(), f"{kind} {account}": name}
        self._store.overwrite("wechat_receivers", json.dumps(listed))
        told = {name: content[name] for name in ("type", "account", "relation_type")}
        return {**told, "name": content["name"]} if name else told

    def _delete_receiver(self, content: dict[str, Any]) -> dict[str, Any]:
        self._require_app(content)
        listed = self._receivers()
        if listed.pop(f"{content['type']} {content['account']}", None) is None:
            raise Refused(404, "RESOURCE_NOT_EXISTS", "分账接收方不存在")
        self._store.overwrite("wechat_receivers", json.dumps(listed))
        return {"type": content["type"], "account": content["account"]}

    def _require_app(self, content: dict[str, Any]) -> None:
        if content.get("appid") != self._keys.appid:
            raise Refused(400, "PARAM_ERROR", "appid 与商户号不匹配")

    # --- shares ---

    def _split(self, content: dict[str, Any], serial: str) -> dict[str, Any]:
        self._require_app(content)
        payment = self._find(str(content["transaction_id"]))
        shares = content["receivers"]
        total = sum(int(share["amount"]) for share in shares)
        number = str(content["out_order_no"])
        if self._moves.find_transfer(KIND, "split", number) is None:
            self._check_split(payment, shares, total=total, serial=serial)
        transfer, is_new = self._open(
            kind="split",
            own_no=number,
            payment_id=payment.id,
            account=str(shares[0]["account"]),
            name=str(shares[0].get("description", ""))[:80],
            amount_fen=total,
            detail={"receivers": shares, "ends": bool(content["unfreeze_unsplit"])},
        )
        return self._print_split(transfer, payment, is_new=is_new)

    def _check_split(
        self, payment: Payment, shares: list[dict[str, Any]], *, total: int, serial: str
    ) -> None:
        extra = json.loads(payment.extra)
        if not extra.get("splits"):
            raise Refused(400, "INVALID_REQUEST", "非分账订单不支持分账")
        self._check_open(payment)
        known = self._receivers()
        for share in shares:
            name = known.get(f"{share['type']} {share['account']}")
            if name is None:
                raise Refused(400, "INVALID_REQUEST", "分账接收方未添加")
            given = share.get("name")
            if given and self._keys.decrypt(given, serial=serial) != name:
                raise Refused(400, "INVALID_REQUEST", "分账接收方姓名不匹配")
            if int(share["amount"]) <= 0:
                raise Refused(400, "PARAM_ERROR", "分账金额不合法")
        if (self._handed_over(payment) + total) * 10_000 > payment.paid_fen * SPLIT_LIMIT_BPS:
            raise Refused(403, "RULE_LIMIT", "超出最大分账比例")
        if total > self.left_of(payment):
            raise Refused(403, "NOT_ENOUGH", "分账金额不足")

    def _check_open(self, payment: Payment) -> None:
        splits = self._moves.list_transfers(KIND, payment_id=payment.id, kind="split")
        if any(each.detail.get("ends") for each in splits):
            raise Refused(400, "INVALID_REQUEST", "订单已完成分账")
        if len(splits) >= MAX_SPLITS:
            raise Refused(403, "RULE_LIMIT", "分账次数超限")

    def _finish(self, content: dict[str, Any]) -> dict[str, Any]:
        payment = self._find(str(content["transaction_id"]))
        number = str(content["out_order_no"])
        if not json.loads(payment.extra).get("splits"):
            raise Refused(400, "INVALID_REQUEST", "非分账订单不支持分账")
        if self._moves.find_transfer(KIND, "split", number) is None:
            self._check_open(payment)
        transfer, is_new = self._open(
            kind="split",
            own_no=number,
            payment_id=payment.id,
            amount_fen=0,
            state="ended",
            detail={"receivers": [], "ends": True},
        )
        return self._print_split(transfer, payment, is_new=is_new)

    def _print_split(
        self, transfer: Transfer, payment: Payment, *, is_new: bool = False
    ) -> dict[str, Any]:
        return {
            "transaction_id": payment.trade_no,
            "out_order_no": transfer.own_no,
            "order_id": f"3008450740201411110007820{transfer.id:06d}",
            "state": "PROCESSING" if is_new else "FINISHED",
            "receivers": [
                {
                    "type": share["type"],
                    "account": share["account"],
                    "amount": share["amount"],
                    "description": share.get("description", ""),
                    "result": "PENDING" if is_new else "SUCCESS",
                    "detail_id": f"36011111111111111111111{transfer.id:06d}{place:02d}",
                    "create_time": print_time(transfer.created_at),
                    "finish_time": print_time(transfer.created_at),
                }
                for place, share in enumerate(transfer.detail["receivers"])
            ],
        }

    def _return(self, content: dict[str, Any]) -> dict[str, Any]:
        split = self._known("split", str(content["out_order_no"]))
        number, fen = str(content["out_return_no"]), int(content["amount"])
        merchants = {
            share["account"]: int(share["amount"])
            for share in split.detail["receivers"]
            if share["type"] == "MERCHANT_ID"
        }
        if content["return_mchid"] not in merchants:
            raise Refused(400, "INVALID_REQUEST", "回退方与分账接收方不符，或为个人")
        if self._moves.find_transfer(KIND, "split_return", number) is None:
            given_back = sum(
                each.amount_fen
                for each in self._moves.list_transfers(
                    KIND, payment_id=split.payment_id, kind="split_return"
                )
                if each.detail["split_no"] == split.own_no
            )
            if fen <= 0 or fen + given_back > merchants[content["return_mchid"]]:
                raise Refused(403, "NOT_ENOUGH", "回退金额超过分账金额")
        transfer, is_new = self._open(
            kind="split_return",
            own_no=number,
            payment_id=split.payment_id,
            account=content["return_mchid"],
            name=str(content.get("description", ""))[:80],
            amount_fen=fen,
            detail={"split_no": split.own_no},
        )
        return self._print_return(transfer, is_new=is_new)

    def _print_return(self, transfer: Transfer, *, is_new: bool = False) -> dict[str, Any]:
        return {
            "out_order_no": transfer.detail["split_no"],
            "out_return_no": transfer.own_no,
            "return_id": f"3008450740201411110007821{transfer.id:06d}",
            "return_mchid": transfer.account,
            "amount": transfer.amount_fen,
            "result": "PROCESSING" if is_new else "SUCCESS",
            "create_time": print_time(transfer.created_at),
            "finish_time": print_time(transfer.created_at),
        }

    # --- transfers to users ---

    def _pay_out(self, content: dict[str, Any], serial: str) -> dict[str, Any]:
        self._require_app(content)
        fen, number = content["transfer_amount"], str(content["out_bill_no"])
        scene = SCENES.get(str(content["transfer_scene_id"]))
        told = {each["info_type"] for each in content["transfer_scene_report_infos"]}
        if scene is None or told != scene:
            raise Refused(400, "PARAM_ERROR", "转账场景报备信息与场景不符")
        if not isinstance(fen, int) or fen <= 0 or not number.isalnum():
            raise Refused(400, "PARAM_ERROR", "金额或商户单号不合法")
        sealed = content.get("user_name")
        name = self._keys.decrypt(sealed, serial=serial) if sealed else ""
        if (fen >= NAMED_FROM_FEN and not name) or (fen < UNNAMED_BELOW_FEN and name):
            raise Refused(400, "INVALID_REQUEST", "收款用户姓名：2000 元及以上必填，0.3 元以下不填")
        transfer, _is_new = self._open(
            kind="payout",
            own_no=number,
            account=str(content["openid"]),
            name=name,
            amount_fen=fen,
            state="wait",
            detail={"remark": str(content["transfer_remark"])},
        )
        answer = self._print_payout(transfer)
        names = ("out_bill_no", "transfer_bill_no", "create_time", "state")
        said = {name: answer[name] for name in names}
        # Only this answer holds it, the first time and each time; a query does not.
        return {**said, "package_info": _package(transfer)} if transfer.state == "wait" else said

    def _print_payout(self, transfer: Transfer) -> dict[str, Any]:
        answer = {
            "mch_id": self._keys.mchid,
            "out_bill_no": transfer.own_no,
            "transfer_bill_no": f"1330000071100999991182020{transfer.id:012d}",
            "appid": self._keys.appid,
            "state": PAYOUT_STATES[transfer.state],
            "transfer_amount": transfer.amount_fen,
            "transfer_remark": transfer.detail["remark"],
            "openid": transfer.account,
            "create_time": print_time(transfer.created_at),
            "update_time": print_time(transfer.created_at),
        }
        if transfer.state in PAYOUT_REASONS:
            answer["fail_reason"] = PAYOUT_REASONS[transfer.state]
        return answer

    def take_bridge(self, request: Request) -> Reply:
        """Take what a page inside WeChat hands to `requestMerchantTransfer`; tell the next page."""
        fields = json.loads(request.body.decode())
        ours = (fields.get("mchId"), fields.get("appId")) == (self._keys.mchid, self._keys.appid)
        waiting = [
            each
            for each in self._moves.list_transfers(KIND, kind="payout")
            if each.state == "wait" and _package(each) == fields.get("package")
        ]
        if not ours or set(fields) != {"mchId", "appId", "package"} or not waiting:
            return reply_json({"err_msg": "requestMerchantTransfer:fail"}, status=400)
        address = f"{request.base_url}/wechat/transfer/{waiting[0].own_no}"
        return reply_json({"err_msg": "requestMerchantTransfer:ok", "page": address})

    def show_transfer(self, request: Request) -> Reply:
        """The page on which a receiver takes a transfer, refuses it, or lets a day go by."""
        number = request.path.rpartition("/")[2]
        transfer = self._moves.find_transfer(KIND, "payout", number)
        if transfer is None:
            return render_problem("没有这笔转账。", status=404)
        if request.method == "POST" and transfer.state == "wait":
            state = PAYOUT_ENDS.get(request.read_form().get("act", ""), "refused")
            self._moves.end_transfer(transfer, state=state)  # or somebody was quicker
            return redirect(request.path, status=303)
        words = {"wait": "待你收款", "done": "已收款", "refused": "已取消", "expired": "已过期"}
        buttons = (
            '<form method="post"><button class=main name=act value=take>确认收款</button>'
            "<button name=act value=refuse>拒绝</button>"
            "<button name=act value=expire>过 24 小时</button></form>"
        )
        body = (
            f"<main><h1>微信转账</h1><p>¥{transfer.amount_fen / 100:.2f}</p>"
            f"<p>{html.escape(transfer.detail['remark'])}</p><p>{words[transfer.state]}</p>"
            f"{buttons if transfer.state == 'wait' else ''}</main>"
        )
        return render_page("微信转账", body)


def _package(transfer: Transfer) -> str:
    """Return what opens a transfer inside WeChat: as long as the real one, and as odd."""
    raw = "".join(digest("package", place, transfer.id) for place in range(4)).encode()
    return base64.b64encode(raw[:127]).decode()
