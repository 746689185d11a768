"""Refusals of this app."""

from django.utils.translation import gettext_lazy as _

from kameng.core.errors import TooMany


class TooManyAttempts(TooMany):
    code = "too_many_attempts"


class TooManyOrders(TooMany):
    code = "too_many_orders"
    message = _("下单太频繁，请在 %(wait)s后再试。已有的订单不受影响。")
