"""The look of the simulator's screens: one small style sheet, light and dark."""

CSS = """
:root{--ink:#1c2433;--quiet:#5b6577;--line:#e2e6ee;--ground:#f4f6fa;--card:#fff;--link:#1a56c4}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf4;--quiet:#9aa5b8;--line:#2c3444;
--ground:#12161f;--card:#1a202c;--link:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 "PingFang SC",
"HarmonyOS Sans SC","Microsoft YaHei","Noto Sans SC","WenQuanYi Micro Hei",system-ui,sans-serif;
font-variant-numeric:tabular-nums}
a{color:var(--link)}h1{font-size:20px;margin:0 0 8px}h2{font-size:16px;margin:0}
.quiet{color:var(--quiet);margin:0 0 12px}
.bar{display:flex;gap:12px;align-items:center;color:#fff;padding:0 24px;height:56px}
.bar b{font-size:18px}.bar span{opacity:.9;font-size:13px;border-left:1px solid #fff8;
padding-left:12px}
.bar.dark{background:#1f2430}.bar nav{display:flex;gap:4px;margin-left:16px}
.bar nav a{color:#fffc;text-decoration:none;padding:10px 14px;border-radius:8px}
.bar nav a.here{background:#fff2;color:#fff}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px}
.cashier{display:grid;grid-template-columns:340px 1fr;gap:24px;max-width:960px;
margin:32px auto;padding:0 16px;align-items:start}
.bill{text-align:center}.amount{font-size:40px;font-weight:700;margin:0 0 16px;line-height:1.1}
.amount small{font-size:22px;margin-right:2px}
dl{display:grid;grid-template-columns:auto 1fr;gap:4px 12px;text-align:left;margin:0 0 16px;
font-size:13px}dt{color:var(--quiet)}dd{margin:0;text-align:right;word-break:break-all}
.code{width:200px;margin:0 auto;background:#fff;border-radius:12px;padding:6px;
border:1px solid var(--line)}.code svg{display:block;width:100%;height:auto}
.clock{margin:16px 0 0;color:var(--quiet);font-size:14px}
.modes{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin-bottom:16px}
.modes form:first-child{grid-column:1/-1}
button{width:100%;min-height:56px;border:1px solid var(--line);border-radius:8px;padding:8px 14px;
background:transparent;color:inherit;font:inherit;text-align:left;cursor:pointer;display:flex;
flex-direction:column;transition:border-color .15s ease-out}
button small{color:var(--quiet)}button:hover{border-color:var(--link)}
button:focus-visible,a:focus-visible{outline:3px solid var(--link);outline-offset:2px}
button.main{color:#fff;border:0;text-align:center;align-items:center}
button.main small{color:#fffd}button:disabled{opacity:.45;cursor:not-allowed}
.sheet{max-width:420px;margin:12vh auto;padding:32px 24px;text-align:center;background:var(--card);
border:1px solid var(--line);border-radius:12px}
.mark{width:64px;height:64px;border-radius:50%;margin:0 auto 16px;color:#fff;font-size:34px;
line-height:64px}.good{background:#12875a}.bad{background:#b45309}
.button{display:inline-block;background:#1a56c4;color:#fff;text-decoration:none;border-radius:8px;
padding:12px 32px;margin-bottom:16px}
.wide{max-width:1320px;margin:24px auto;padding:0 16px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:12px}
table{border-collapse:collapse;width:100%;font-size:14px;white-space:nowrap}
th,td{text-align:left;padding:10px 12px;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:500}tr:last-child td{border-bottom:0}
.right{text-align:right}td ul{margin:0;padding:0;list-style:none;font-size:13px;
color:var(--quiet);white-space:normal;min-width:220px}
.dot{display:inline-block;width:8px;height:8px;border-radius:50%;margin-right:6px}
.green{background:#12875a}.amber{background:#d98a1f}.grey{background:#8a94a6}
.empty{text-align:center;color:var(--quiet);padding:48px 0}
.forms{display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,1fr));gap:16px;
margin:16px 0 24px}.forms form{display:flex;flex-direction:column;gap:10px}
.forms label{display:flex;flex-direction:column;gap:4px;color:var(--quiet);font-size:13px}
.forms input,.forms select{font:inherit;font-size:15px;color:var(--ink);background:var(--ground);
border:1px solid var(--line);border-radius:8px;padding:9px 10px;min-width:0}
.forms button.main{background:#1a56c4;min-height:44px;margin-top:auto;justify-content:center}
.told{padding:10px 14px;border-radius:8px;color:#fff;word-break:break-word}
.mail{margin-bottom:16px}.mail pre{white-space:pre-wrap;word-break:break-word;font:inherit;
margin:0}
@media(max-width:760px){.cashier{grid-template-columns:1fr;margin:16px auto;gap:16px}
.bar{padding:0 16px}.card{padding:16px}.code{display:none}.modes{gap:8px}}
"""
