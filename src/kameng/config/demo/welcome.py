"""What a visitor of the demo should know: addresses and accounts, in plain lines."""

from kameng.config.demo.files import DemoFiles
from kameng.config.launch.options import read_options

ROLES = {"service": "客服", "finance": "财务"}


def tell_welcome(files: DemoFiles) -> str:
    """Return the addresses of the shops, the back office and the simulator, and who may sign in."""
    options = read_options()
    port, simulator = options.port, options.simulator_port
    sites = files.shops["sites"]
    lines = ["", "商城 Shops"]
    for site in sites:
        host = site["hosts"][0]
        kind = "主站" if site["plan"] is None else f"分站 · {site['plan']}"
        lines.append(f"  {site['name']}（{kind}）  http://{host}:{port}/")
    lines += ["", f"后台 Back office（密码都是 password {files.shops['password']}）"]
    for site in sites:
        address = f"http://{site['hosts'][0]}:{port}/console/"
        what = "平台站长" if site["plan"] is None else "分站站长"
        lines.append(f"  {site['owner']['login']:<8}{what}  {address}")
        lines += [
            f"  {row['login']:<8}{ROLES.get(row['role'], row['role'])}      {address}"
            for row in site["staff"]
        ]
    buyer = files.shops["buyer"]
    home = next(site for site in sites if site["slug"] == buyer["site"])
    lines += [
        "",
        f"买家 Buyer  {buyer['login']}（同一密码，在“{home['name']}”有余额和订单）",
        f"模拟支付 Gateway  http://127.0.0.1:{simulator}/    邮件 Mail  http://127.0.0.1:{simulator}/mail",
    ]
    return "\n".join(lines)


def tell_foreign() -> str:
    """Return why the demo was not loaded."""
    return "数据库里已有站点，没有装入演示数据。要看演示，请用 KAMENG_HOME 指定一个新的文件夹。"
