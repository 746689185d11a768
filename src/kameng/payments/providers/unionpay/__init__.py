"""银联在线支付 (UnionPay): the gateway product of the all-channel platform, ACP 5.1.0.

Front page, queries, refunds and reconciliation files of gateway.95516.com. Documents:
open.unionpay.com, 产品接口规范 "在线网关支付", and 全渠道平台接入接口规范, part 3 (files) and
part 5 (codes).
"""
