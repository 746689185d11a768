"""The answer to a dispute at Stripe: a document is uploaded, the dispute updated and submitted.

Stripe takes one submission for each dispute. Ours carries our number in the metadata of the
dispute, so that a lost answer is found again, and somebody's at Stripe's own pages is not taken
for ours.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from kameng.core.http import HttpRequest
from kameng.payments.providers.abilities import EvidenceRequest, TransferOutcome, TransferStatus
from kameng.payments.providers.calling import question
from kameng.payments.providers.decoding import bound_text, is_number
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.providers.stripe import wire
from kameng.payments.providers.stripe.config import Config

MAX_CHARS: Final = 20_000
API_HOST: Final = "api.stripe.com"
FILES_URL: Final = "https://files.stripe.com/"
ANSWERABLE: Final = frozenset({"needs_response", "warning_needs_response"})
Call = Callable[[HttpRequest], dict[str, Any]]


def build_upload(config: Config, request: EvidenceRequest) -> HttpRequest:
    """Return the upload of the document; files have a host of their own at Stripe."""
    base = config.gateway_url
    if urlsplit(base).hostname == API_HOST:
        base = FILES_URL
    boundary = f"kameng-{request.evidence_no}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n'
        f"dispute_evidence\r\n--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{request.evidence_no}.pdf"\r\n'
        "Content-Type: application/pdf\r\n\r\n"
    )
    asked = wire.build_post(config, "files", {}, key=f"kameng-file-{request.evidence_no}")
    return HttpRequest(
        method="POST",
        url=f"{base}v1/files",
        body=head.encode() + request.document + f"\r\n--{boundary}--\r\n".encode(),
        headers={
            **asked.headers,
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        },
    )


def build_submission(config: Config, request: EvidenceRequest, *, file_no: str) -> HttpRequest:
    """Return the update of a dispute that hands everything in."""
    form = {
        "evidence[product_description]": request.product[:MAX_CHARS],
        "evidence[service_documentation]": file_no,
        "evidence[uncategorized_text]": request.text[:MAX_CHARS],
        "metadata[evidence_no]": request.evidence_no,
        "submit": "true",
    }
    if request.delivered_at is not None:
        form["evidence[service_date]"] = f"{request.delivered_at:%Y-%m-%d}"
    key = f"kameng-evidence-{request.evidence_no}"
    return wire.build_post(config, _path(request), form, key=key)


def _path(request: EvidenceRequest) -> str:
    return f"disputes/{quote(request.dispute_no, safe='')}"


def read_standing(answer: Mapping[str, Any], request: EvidenceRequest) -> TransferOutcome | None:
    """Return what a dispute says of our evidence; None while it can still be handed in.

    Raises ProviderUncertain for what is no dispute, or another one.
    """
    if answer.get("object") != "dispute" or answer.get("id") != request.dispute_no:
        raise ProviderUncertain("bad_reply")
    details, metadata = answer.get("evidence_details"), answer.get("metadata")
    count = details.get("submission_count") if isinstance(details, dict) else None
    if not isinstance(metadata, dict) or not isinstance(count, str) or not count.isdigit():
        raise ProviderUncertain("bad_reply")
    if int(count) > 0:
        if metadata.get("evidence_no") != request.evidence_no:
            return TransferOutcome(status=TransferStatus.REFUSED, reason="already_submitted")
        evidence = answer.get("evidence")
        file_no = evidence.get("service_documentation") if isinstance(evidence, dict) else ""
        return TransferOutcome(
            status=TransferStatus.DONE, external_no=bound_text(file_no, limit=64)
        )
    status = str(answer.get("status"))
    if status not in ANSWERABLE:
        return TransferOutcome(status=TransferStatus.REFUSED, reason=bound_text(status, limit=64))
    return None


def submit(config: Config, request: EvidenceRequest, *, call: Call) -> TransferOutcome:
    """Look, upload, hand in, and look again where the answer was lost. Raises ProviderUncertain."""
    known = _look(config, request, call)
    if known is not None:
        return known
    try:
        answer = call(build_upload(config, request))
        file_no = answer.get("id")
        if answer.get("object") != "file" or not isinstance(file_no, str):
            raise ProviderUncertain("bad_reply")
        if not is_number(file_no):
            raise ProviderUncertain("bad_reply")
        done = read_standing(call(build_submission(config, request, file_no=file_no)), request)
    except ProviderRefused as refusal:
        # A parallel call may have come first; else it is a clear no.
        after = _look(config, request, call)
        if after is not None:
            return after
        return TransferOutcome(status=TransferStatus.REFUSED, reason=str(refusal)[:200])
    return done or TransferOutcome(status=TransferStatus.UNKNOWN, reason="not_submitted")


def _look(config: Config, request: EvidenceRequest, call: Call) -> TransferOutcome | None:
    with question():
        answer = call(wire.build_get(config, _path(request)))
    return read_standing(answer, request)
