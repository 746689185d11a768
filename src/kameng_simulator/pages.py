"""The simulator's screens: the cashier on phone and desktop, the list, the mails."""

import html
import io
import time
from collections.abc import Mapping, Sequence

import segno

from kameng_simulator.cashier import AFTERWARDS, MODES, UNPAID
from kameng_simulator.money import format_fen
from kameng_simulator.store import Payment
from kameng_simulator.style import CSS
from kameng_simulator.web import Reply

BRANDS = {
    "alipay": ("支付宝", "#0e67dd"),
    "wxpay": ("微信支付", "#078547"),
    "qqpay": ("QQ 钱包", "#0b74ad"),
    "bank": ("云闪付", "#d4232d"),
    "unionpay": ("银联在线支付", "#b0121f"),
}
STATES = {"wait": ("待付款", "amber"), "paid": ("已付款", "green"), "closed": ("已关闭", "grey")}


def render_page(title: str, body: str, *, status: int = 200, refresh: str = "") -> Reply:
    """Return a whole page."""
    meta = f'<meta http-equiv="refresh" content="{html.escape(refresh)}">' if refresh else ""
    text = (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{meta}<title>{html.escape(title)}</title><style>{CSS}</style></head>"
        f"<body>{body}</body></html>"
    )
    return Reply(status=status, body=text.encode())


def render_problem(message: str, *, status: int = 200) -> Reply:
    """Return the page of a refused call: real gateways answer it with 200."""
    body = (
        '<main class="sheet"><div class="mark bad">!</div><h1>无法继续支付</h1>'
        f'<p class="quiet">{html.escape(message)}</p></main>'
    )
    return render_page("无法继续支付", body, status=status)


def render_cashier(payment: Payment, *, label: str, modes: Sequence[str], address: str) -> Reply:
    """Return the cashier of a payment: amount, QR, countdown, and what may happen."""
    name, colour = BRANDS.get(payment.method, BRANDS["alipay"])
    left = max(0, int(payment.expires_at - time.time()))
    is_open = payment.state == "wait" and not payment.is_expired
    state = "请在倒计时结束前付款" if is_open else "订单已超时或关闭，只能试“延迟支付”"
    body = f"""
<header class="bar" style="background:{colour}"><b>{name}</b><span>模拟收银台</span></header>
<main class="cashier">
<section class="card bill">
<p class="quiet">{html.escape(payment.subject)}</p>
<p class="amount"><small>¥</small>{format_fen(payment.amount_fen)}</p>
<dl><dt>商户订单号</dt><dd>{html.escape(payment.out_trade_no)}</dd>
<dt>交易号</dt><dd>{html.escape(payment.trade_no)}</dd>
<dt>接口</dt><dd>{label}</dd></dl>
<div class="code">{_draw_code(address)}</div>
<p class="clock" data-left="{left if is_open else 0}">{state}</p>
</section>
<section class="card"><h1>{name}付款</h1>
<p class="quiet">这是演示用的模拟网关，不会真的扣款。请选择接下来发生什么：</p>
{_draw_buttons(payment, modes=modes, colour=colour, is_open=is_open)}
{_draw_way_back(payment)}
</section></main>
<script>{_CLOCK}</script>"""
    return render_page(f"{name} ¥{format_fen(payment.amount_fen)}", body)


def _draw_code(address: str) -> str:
    out = io.BytesIO()
    segno.make(address, error="m").save(
        out, kind="svg", border=2, xmldecl=False, svgclass=None, lineclass=None, omitsize=True
    )
    return out.getvalue().decode()


def _draw_buttons(payment: Payment, *, modes: Sequence[str], colour: str, is_open: bool) -> str:
    forms = []
    for mode in modes:
        usable = is_open or mode in AFTERWARDS
        main = f' class="main" style="background:{colour}"' if mode == "success" else ""
        off = "" if usable else " disabled"
        forms.append(
            f'<form method="post" action="/pay/{payment.trade_no}/{mode}">'
            f"<button{main}{off} name=mode value={mode}><b>{MODES[mode].label}</b>"
            f"<small>{MODES[mode].hint}</small></button></form>"
        )
    return f'<div class="modes">{"".join(forms)}</div>'


def _draw_way_back(payment: Payment) -> str:
    if not payment.return_url.startswith(("http://", "https://")):
        return ""
    return f'<p><a href="{html.escape(payment.return_url)}">不付款，返回商户</a></p>'


def render_result(payment: Payment, *, mode: str, address: str) -> Reply:
    """Return what the buyer sees after a button."""
    is_paid = payment.state == "paid"
    title = MODES[mode].label if not is_paid else "付款成功"
    mark = '<div class="mark good">✓</div>' if is_paid else '<div class="mark bad">!</div>'
    note = {
        "late": "到账时间已安排在订单超时之后，商户会收到迟到的通知。",
        "fail": "付款没有成功，订单仍可再次付款。",
        **dict.fromkeys(UNPAID, "已发出一条不算数的付款通知，商户应当拒绝它。"),
        "replayed": "已把第一条通知原样再发一次，商户不应当再入账一次。",
    }.get(mode, f"已付 ¥{format_fen(payment.paid_fen)}（{MODES[mode].label}）")
    target = address or payment.return_url
    usable = target.startswith(("http://", "https://"))
    link = f'<a class="button" href="{html.escape(target)}">返回商户</a>' if usable else ""
    body = (
        f'<main class="sheet">{mark}<h1>{title}</h1><p class="quiet">{html.escape(note)}</p>{link}'
        f'<p><a href="/pay/{payment.trade_no}">回到收银台</a> · <a href="/">全部支付</a></p></main>'
    )
    return render_page(title, body)


def render_list(
    payments: Sequence[tuple[Payment, Sequence[dict[str, object]]]], *, labels: Mapping[str, str]
) -> Reply:
    """Return the list of payments and the callbacks sent for them."""
    rows = "".join(
        _draw_row(payment, notices, label=labels.get(payment.gateway, payment.gateway))
        for payment, notices in payments
    )
    empty = '<p class="empty">还没有支付。请在商店下单并选择一种在线支付。</p>' if not rows else ""
    body = f"""{draw_navigation("list")}<main class="wide"><h1>支付与通知</h1>
<div class="scroll"><table><thead><tr><th>时间</th><th>接口</th><th>商户订单号</th><th>商品</th>
<th class="right">应付</th><th class="right">实付</th><th class="right">已退</th><th>状态</th>
<th>通知</th></tr></thead><tbody>{rows}</tbody></table></div>{empty}</main>"""
    return render_page("支付与通知", body, refresh="5")


def _draw_row(payment: Payment, notices: Sequence[dict[str, object]], *, label: str) -> str:
    word, colour = STATES["closed" if payment.is_expired else payment.state]
    remark = f" · {payment.remark}" if payment.remark else ""
    sent = "".join(
        f"<li>{html.escape(str(notice['kind']))} · 第 {notice['attempt_count']} 次 · "
        f"{html.escape(_tell_last(notice))}</li>"
        for notice in notices[-6:]
    )
    return (
        f"<tr><td>{_print_time(payment.created_at)}</td><td>{label}</td>"
        f'<td><a href="/pay/{payment.trade_no}">{html.escape(payment.out_trade_no)}</a></td>'
        f"<td>{html.escape(payment.subject[:40])}</td>"
        f"{_draw_money(payment.amount_fen)}{_draw_money(payment.paid_fen)}"
        f'{_draw_money(payment.refunded_fen)}<td><i class="dot {colour}"></i>'
        f"{word}{html.escape(remark)}</td><td><ul>{sent}</ul></td></tr>"
    )


def _draw_money(fen: int) -> str:
    return f'<td class="right">{format_fen(fen) if fen else "—"}</td>'


def _tell_last(notice: dict[str, object]) -> str:
    attempts = notice["attempts"]
    if not isinstance(attempts, list) or not attempts:
        return "等待发送"
    last = attempts[-1]
    word = {"done": "商户已确认", "waiting": "稍后重发", "given up": "不再重发"}
    reply = last["reply"].strip().replace("\n", " ")[:60]
    return f"{last['status'] or '无应答'} {reply}（{word.get(str(notice['state']), '')}）"


def render_mails(mails: Sequence[tuple[float, str, dict[str, str]]]) -> Reply:
    """Return the mails, newest first."""
    cards = "".join(
        f'<article class="card mail"><h2>{html.escape(mail["subject"])}</h2>'
        f'<p class="quiet">{_print_time(at)} · 收件人 {html.escape(to)}'
        f" · 发件人 {html.escape(mail['from'])}</p><pre>{html.escape(mail['text'])}</pre></article>"
        for at, to, mail in mails
    )
    empty = '<p class="empty">还没有邮件。验证码和通知邮件会显示在这里。</p>' if not cards else ""
    body = f'{draw_navigation("mail")}<main class="wide"><h1>邮件</h1>{cards}{empty}</main>'
    return render_page("邮件", body, refresh="5")


def draw_navigation(here: str) -> str:
    """Return the head of a screen."""
    links = "".join(
        f'<a href="{address}"{" class=here" if key == here else ""}>{label}</a>'
        for key, address, label in (
            ("list", "/", "支付与通知"),
            ("trouble", "/trouble", "故障台"),
            ("mail", "/mail", "邮件"),
        )
    )
    return f'<header class="bar dark"><b>模拟网关</b><nav>{links}</nav></header>'


def _print_time(moment: float) -> str:
    return time.strftime("%m-%d %H:%M:%S", time.gmtime(moment + 8 * 3600))


_CLOCK = """
const clock=document.querySelector('.clock');let left=Number(clock.dataset.left);
const show=()=>{if(left<=0)return;const m=String(Math.floor(left/60)).padStart(2,'0');
const s=String(left%60).padStart(2,'0');clock.textContent='剩余付款时间 '+m+':'+s;
left-=1;if(left===0)setTimeout(()=>location.reload(),1000)};show();setInterval(show,1000);
"""
