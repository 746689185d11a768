"""Rich text: words and emphasis stay, whatever could run or pretend goes."""

import pytest

from kameng.pages.fields import Field
from kameng.pages.sanitising import clean_html, clean_rich

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="//evil.example">x</a>',
    '<a href="http://evil.example">x</a>',
    '<a href="https://ok.example" onclick="alert(1)" style="position:fixed">x</a>',
    '<form action="https://evil.example"><input name="password"></form>',
    '<iframe src="https://evil.example"></iframe>',
    '<p style="background:url(https://evil.example)">x</p>',
    '<p class="pay-button" id="main">x</p>',
    "<style>body{display:none}</style>",
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></math>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    '<base href="https://evil.example/">',
    "<!--<img src=x onerror=alert(1)>-->",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_or_pretends_is_kept(attack: str) -> None:
    kept = clean_html(f"<p>before</p>{attack}<p>after</p>").lower()

    for word in ("script", "onerror", "onclick", "onload", "style", "<form", "<input", "<iframe"):
        assert word not in kept
    for word in ("evil.example", "class=", "id=", "<meta", "<base", "<img", "<svg", "<!--"):
        assert word not in kept
    assert "<p>before</p>" in kept
    assert "<p>after</p>" in kept


def test_what_operators_write_stays() -> None:
    text = (
        "<h3>购买须知</h3><p><strong>先付款</strong>，<em>后发货</em>。</p><ul><li><p>一</p></li></ul>"
        '<p><a href="/pages/rules/" rel="noopener nofollow">规则</a></p>'
    )

    assert clean_html(text) == text


@pytest.mark.parametrize("attack", ATTACKS)
def test_cleaned_twice_is_the_same(attack: str) -> None:
    once = clean_html(attack)

    assert clean_html(once) == once


def test_rich_texts_in_lists_are_cleaned_too() -> None:
    inner = Field(name="answer", label="A", kind="rich")
    fields = (Field(name="items", label="I", kind="items", fields=(inner,)),)

    cleaned = clean_rich(fields, {"items": [{"answer": "<p onclick=x>a</p>"}, 5]})

    assert cleaned == {"items": [{"answer": "<p>a</p>"}, 5]}
