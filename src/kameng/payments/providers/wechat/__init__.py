"""WeChat Pay API v3 of an ordinary merchant (微信支付 APIv3 普通商户).

Native, JSAPI and H5 payments, refunds, bills, profit sharing and transfers to users, under the
platform's public key or its rotating certificates; documents at https://pay.weixin.qq.com/doc/v3/.
"""
