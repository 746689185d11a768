"""易支付 (epay) v2: the RSA protocol of 彩虹易支付 and its relatives.

Calls under `/api/pay/` and `/api/merchant/`, signed by the merchant and answered under the
platform's key; callbacks by GET. Documents: the pages "V2 接口文档" of the public programs.
"""
