"""Reading forms out of pages, and the values that break careless programs."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

EVIL: tuple[str, ...] = (
    "",
    "0",
    "-1",
    "1.5",
    "1e9",
    "１００",
    "٣",
    "2147483648",
    "9223372036854775808",
    "99999999999999999999999999",
    "NaN",
    "Infinity",
    "０",
    "null",
    "[]",
    "{}",
    "' or 1=1 --",
    "%s%n%x",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "{{ 7*7 }}{% debug %}",
    "😀" * 40,
    "\u202e\u200b\ufeff隐",
    "a" * 5000,
    "中" * 3000,
    "\r\nSet-Cookie: x=1",
    "2026-02-30",
    "9999-99-99T99:99",
    "\x7f\x1b[31m",
)


@dataclass(slots=True)
class Form:
    """One form of a page with the values that it came with."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)


class FormReader(HTMLParser):
    """Collects forms with their named fields; also fields that name their form by id."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms and fields."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._open)
        form = self._open
        name = given.get("name", "")
        if form is None or not name:
            if tag == "option" and form is not None and self._select:
                form.values.setdefault(self._select, given.get("value", ""))
            return
        if tag == "select":
            self._select = name
        elif tag == "textarea":
            form.values.setdefault(name, "")
        elif tag in {"input", "button"} and given.get("type") != "file":
            form.values.setdefault(name, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened."""
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


def read_forms(html: str, *, path: str) -> list[Form]:
    """Return the forms of a page; an empty action is the page itself."""
    reader = FormReader()
    reader.feed(html)
    for form in reader.forms:
        form.action = form.action or path
    return reader.forms
