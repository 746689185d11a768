"""The description of the JSON addresses, for programs and for tests."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from kameng.openapi.document import build_document
from kameng.web.api import answer_json


@require_safe
def show_document(request: HttpRequest) -> HttpResponse:
    """Answer with the OpenAPI document."""
    return answer_json(build_document())
