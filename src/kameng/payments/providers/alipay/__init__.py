"""Alipay open platform, gateway 1.0 with RSA2 keys (公钥模式).

Methods alipay.trade.precreate, page.pay, wap.pay, query, close, refund and
fastpay.refund.query; documents at https://opendocs.alipay.com/open/.
"""
