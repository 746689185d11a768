"""Conditions on payments that partial indexes repeat: a query by one of them uses its index."""

from typing import Final

from django.db.models import F, Q

# Next to no payment does: others need no index.
IS_COMPLETING: Final = Q(completes__isnull=False)
# Money of another amount, or paid twice (MISMATCHED), that did not go back whole.
IS_MISMATCHED: Final = Q(state=4, refunded_amount__lt=F("received_amount") - F("disputed_amount"))
# Delivered (CONFIRMED) with a surplus that did not go back.
HAS_SURPLUS: Final = Q(state=2, surplus_left_amount__gt=0)
# Asked by each page of the back office, so that it must not look through all payments.
IS_ODD: Final = IS_MISMATCHED | HAS_SURPLUS
