"""How a page of the back office answers a form: done and on, or again with what was typed.

Promises that a refusal of a service lands in the form it came from, and that a page shown again
for a fault carries a 4xx status.
"""

from collections.abc import Callable
from typing import TypeVar

from django import forms
from django.http import HttpResponse, HttpResponseRedirect

from kameng.console.views.frame import ConsoleRequest
from kameng.core.errors import Refusal
from kameng.web.flash import flash

T = TypeVar("T")
AnyForm = forms.BaseForm | forms.BaseFormSet  # type: ignore[type-arg]


def run_form(form: forms.Form, act: Callable[[], T], *others: AnyForm) -> T | None:
    """Check the forms of a page and act; None when they, or the service, refuse.

    A refusal of the service becomes an error of the first form. Services return something.
    """
    faulty = [each for each in (form, *others) if not each.is_valid()]  # all, to show all faults
    if faulty:
        form.refusal_status = 400  # type: ignore[attr-defined]
        return None
    try:
        return act()
    except Refusal as refusal:
        form.add_error(None, refusal.text())
        form.refusal_status = refusal.status  # type: ignore[attr-defined]
        return None


def status_of(form: forms.Form) -> int:
    """Return the status of a page that shows this form: 200, or why it was refused."""
    return int(getattr(form, "refusal_status", 200))


def see_other(url: str) -> HttpResponse:
    """Lead on after a post, so that a reload does not post again."""
    return HttpResponseRedirect(url, status=303)


def done(request: ConsoleRequest, text: str, *, to: str) -> HttpResponse:
    """Say what happened on the page that follows."""
    flash(request, text)
    return see_other(to)
