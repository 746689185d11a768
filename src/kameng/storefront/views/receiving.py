"""A payout as its receiver sees it, who needs no account here: they confirm it inside WeChat.

Opened by the token of its link alone. What the page says comes from the gateway's answer, never
from what the bridge told the browser.
"""

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from kameng.settlement.services.receiving import Receiving, hasten_answer, open_receiving
from kameng.storefront.frame import answer_personal, keep_private
from kameng.storefront.opening import read_token
from kameng.web.middleware.people import open_when_suspended
from kameng.web.receiving import receiving_context, receiving_path, tell
from kameng.web.requests import KamengRequest


def _open(request: KamengRequest, withdrawal_no: str) -> Receiving:
    return open_receiving(
        withdrawal_no=withdrawal_no, token=read_token(request), ip=request.client_ip
    )


@open_when_suspended
@require_safe
def receive(request: KamengRequest, withdrawal_no: str) -> HttpResponse:
    """Show a payout with the button that opens WeChat's confirmation, or what became of it."""
    receiving = _open(request, withdrawal_no)
    context = {
        **receiving_context(request, receiving),
        "is_moving": receiving.is_moving,
        "is_over": receiving.is_over,
        "status_url": receiving_path("receive_status", receiving),
    }
    return answer_personal(request, "storefront/receive.html", context)


@open_when_suspended
@require_safe
def receive_status(request: KamengRequest, withdrawal_no: str) -> JsonResponse:
    """Tell where the payout stands; asking lets the worker look soon."""
    receiving = _open(request, withdrawal_no)
    if receiving.is_moving:
        hasten_answer(receiving)
    answer: dict[str, object] = {"state": receiving.receipt.value, "reload": False}
    if receiving.is_waiting:
        # Only a page that has what the bridge needs can show its button.
        answer["reload"] = request.GET.get("s") not in {None, receiving.receipt.value}
    else:
        context = {"told": tell(receiving), "is_moving": receiving.is_moving}
        answer["html"] = render_to_string("storefront/partials/receipt.html", context)
        answer["done"] = not receiving.is_moving
    response = JsonResponse(answer)
    keep_private(response)
    return response
