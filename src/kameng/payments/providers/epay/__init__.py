"""易支付 (epay) v1: the MD5 protocol of 彩虹易支付 and its many relatives.

Pages `submit.php` and `mapi.php`, queries and refunds by `api.php`, callbacks by GET or POST.
There is no one owner and no one document; the rules here are those that the public programs share.
"""
