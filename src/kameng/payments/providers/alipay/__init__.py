"""Alipay open platform, gateway 1.0 with RSA2: public-key mode (公钥) and certificates (公钥证书).

Methods alipay.trade.precreate, page.pay, wap.pay, query, close, refund and fastpay.refund.query;
alipay.data.dataservice.bill.downloadurl.query; alipay.trade.royalty.relation.bind and unbind,
alipay.trade.order.settle with its query; alipay.fund.trans.uni.transfer and common.query;
alipay.open.app.alipaycert.download. Documents at https://opendocs.alipay.com/open/.
"""
