"""Codes that a camera reads in a picture: a payment code is refused, any other is noted.

A shop's pages may say what they like of its goods, but where money goes is for the pay page alone:
a picture of somebody's collection code beside the goods takes buyers past the order, the delivery
and the refund. Codes of a chat group or a public account are what shops live by, and stay.
"""

import re
from typing import Final

import zxingcpp
from PIL import Image

# What the codes of WeChat Pay, Alipay, UnionPay, digital RMB and EMVCo merchants begin with.
PAYMENT: Final = re.compile(
    r"(?:wxp|weixin)://|alipays?://|upi://|dcep|000201"
    r"|https?://(?:qr\.alipay\.com|mobilecodec\.alipay\.com|ds\.alipay\.com|render\.alipay\.com"
    r"|qr\.95516\.com|wx\.tenpay\.com|payapp\.weixin\.qq\.com|i\.qianbao\.qq\.com|qpay\.qq\.com)",
    re.IGNORECASE,
)
SEARCHED: Final = zxingcpp.barcode_formats_from_str("QRCode,MicroQRCode,DataMatrix,Aztec")


def read_codes(picture: Image.Image) -> list[str]:
    """Return what the square codes of a picture say. Some 30 ms at 1600 × 1200."""
    grey = picture.convert("L")
    return [found.text for found in zxingcpp.read_barcodes(grey, formats=SEARCHED)]


def is_payment_code(text: str) -> bool:
    """Tell whether a code asks for money."""
    return PAYMENT.match(text.strip()) is not None
