"""The page on which a person makes trouble: the same acts as the control API, as forms."""

import html
from collections.abc import Callable, Mapping

from kameng_simulator.cashier import MODES
from kameng_simulator.control import Control, Refusal
from kameng_simulator.faults import FAULTS
from kameng_simulator.moves import CHANGES
from kameng_simulator.pages import draw_navigation, render_page
from kameng_simulator.peers import Returner
from kameng_simulator.web import Reply, Request

TWISTS = {
    "": "真实的",
    "forged": "签名是假的",
    "foreign": "币种不对",
    "stranger": "商户不对",
    "stale": "时间过期",
    "probe": "探测流量",
    "replayed": "原样重放",
}
DISPUTES = {
    "needs_response": "拒付开始，等商户举证",
    "under_review": "已举证，审核中",
    "won": "商户赢",
    "lost": "商户输",
}
WAYS = {"out": "借记（从商户扣款）", "in": "贷记（给商户入账）"}
CHANGE_NAMES = {
    "missing": "账单里少了这一笔",
    "extra": "账单里多出一笔",
    "amount": "金额不同",
    "fee": "手续费不同",
    "twice": "出现两次",
}


class Trouble:
    """One page of forms over the control API."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._acts: Mapping[str, Callable[[Mapping[str, str]], object]] = {
            "pay": control.pay,
            "notice": lambda form: control.send_notice(
                {**form, "delay_seconds": _number(form, "delay_seconds")}
            ),
            "fault": lambda form: control.plan_fault(
                {**form, "times": _number(form, "times"), "after": _number(form, "after")}
            ),
            "dispute": lambda form: control.dispute(
                {**form, "amount_fen": _number(form, "amount_fen")}
            ),
            "correct": lambda form: control.correct(
                {**form, "amount_fen": _number(form, "amount_fen")}
            ),
            "return": control.return_payout,
            "speed": lambda form: control.set_speed({"speed": _number(form, "speed")}),
            "rotate": control.rotate,
            "bill": lambda form: control.change_bill(
                {**form, "amount_fen": _number(form, "amount_fen")}
            ),
        }

    def serve(self, request: Request) -> Reply:
        """Show the page, or do what one of its forms says and tell what came of it."""
        told, is_good = "", True
        if request.method == "POST":
            form = request.read_form()
            act = self._acts.get(form.pop("act", ""))
            if act is None:
                return self._show("没有这个操作。", is_good=False)
            try:
                told = _tell(act(form))
            except Refusal as refusal:
                told, is_good = refusal.reply.body.decode(), False
        return self._show(told, is_good=is_good)

    def _show(self, told: str, *, is_good: bool) -> Reply:
        peers = self._control.describe_peers()
        gateways = {str(peer["gateway"]): str(peer["label"]) for peer in peers}
        returning = {
            kind: label
            for kind, label in gateways.items()
            if isinstance(self._control.peers[kind], Returner)
        }
        mark = "good" if is_good else "bad"
        note = f'<p class="told {mark}" role="status">{html.escape(told)}</p>' if told else ""
        body = f"""{draw_navigation("trouble")}<main class="wide"><h1>故障台</h1>{note}
<p class="quiet">让模拟的支付平台出各种毛病，看商店怎么办。同样的事可以用接口做：
<code>POST /control/</code> 后接
<code>pay</code> <code>notice</code> <code>fault</code> <code>bill</code> <code>dispute</code>
<code>return</code> <code>correct</code> <code>speed</code> <code>rotate</code>。</p>
<div class="forms">{self._draw_forms(gateways, returning)}</div>
<h2>已安排的接口故障</h2>{_draw_planned(peers)}</main>"""
        return render_page("故障台", body)

    def _draw_forms(self, gateways: Mapping[str, str], returning: Mapping[str, str]) -> str:
        number = _field("out_trade_no", "商户订单号", required=True)
        at = _choose("gateway", "平台", gateways)
        speed = f"{self._control.clockwork.speed:g}"
        modes = {name: f"{mode.label}：{mode.hint}" for name, mode in MODES.items()}
        changes = {name: CHANGE_NAMES[name] for name in CHANGES}
        forms = (
            ("pay", "买家付款", number + _choose("mode", "发生什么", modes), "执行"),
            (
                "notice",
                "再发一条通知",
                number
                + _choose("twist", "通知是", TWISTS)
                + _field("delay_seconds", "几秒后", value="0"),
                "发送",
            ),
            (
                "fault",
                "接口故障",
                at
                + _choose("fault", "接下来的调用", FAULTS)
                + _field("times", "次数", value="1")
                + _field("after", "先正常几次", value="0"),
                "安排",
            ),
            (
                "bill",
                "改对账单",
                at
                + _field("day", "日期（2026-01-31）", required=True)
                + _choose("change", "怎么改", changes)
                + _field("own_no", "商户单号", required=True)
                + _field("amount_fen", "分", value="0"),
                "修改",
            ),
            (
                "dispute",
                "买家拒付",
                number
                + _choose("status", "银行说", DISPUTES)
                + _field("amount_fen", "分（0 为全额）", value="0"),
                "发送",
            ),
            (
                "return",
                "转账退票",
                _choose("gateway", "平台", returning)
                + _field("own_no", "商户转账单号", required=True),
                "退回",
            ),
            (
                "correct",
                "银联差错",
                number
                + _choose("way", "方向", WAYS)
                + _field("day", "清算日（2026-01-31）", required=True)
                + _field("amount_fen", "分", required=True),
                "写进差错文件",
            ),
            ("speed", "重发日历的倍速", _field("speed", "倍", value=speed), "设置"),
            ("rotate", "平台换密钥", at, "更换"),
        )
        return "".join(_form(*form) for form in forms)


def _form(act: str, title: str, fields: str, button: str) -> str:
    return (
        f'<form method="post" action="/trouble" class="card"><h2>{title}</h2>'
        f'<input type="hidden" name="act" value="{act}">{fields}'
        f"<button class=main>{button}</button></form>"
    )


def _field(name: str, label: str, *, value: str = "", required: bool = False) -> str:
    must = " required" if required else ""
    return f'<label>{label}<input name="{name}" value="{html.escape(value)}"{must}></label>'


def _choose(name: str, label: str, options: Mapping[str, str]) -> str:
    drawn = "".join(
        f'<option value="{html.escape(value)}">{html.escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<label>{label}<select name="{name}">{drawn}</select></label>'


def _draw_planned(peers: list[dict[str, object]]) -> str:
    rows = "".join(
        f"<li>{html.escape(str(peer['label']))}："
        + html.escape("、".join(name or "正常" for name in planned))
        + "</li>"
        for peer in peers
        if isinstance(planned := peer["planned"], list) and planned
    )
    return f"<ul>{rows}</ul>" if rows else '<p class="empty">没有安排。</p>'


def _number(form: Mapping[str, str], name: str) -> object:
    """Return a number where the field holds one; what holds none is refused by the control."""
    text = form.get(name, "").strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _tell(done: object) -> str:
    if isinstance(done, dict) and "told" in done:
        return str(done["told"])
    if isinstance(done, dict) and "out_trade_no" in done:
        return f"{done['out_trade_no']}：{done['remark'] or '已安排'}"
    return "已生效"
