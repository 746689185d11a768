"""docs/events.md is what the wiring and the publishers say."""

from tools import events_doc


def test_document_is_what_the_code_says() -> None:
    assert events_doc.DOCUMENT.read_text(encoding="utf-8") == events_doc.render()


def test_every_event_has_a_publisher() -> None:
    assert [line.name for line in events_doc.list_lines() if not line.published_by] == []


def test_every_event_is_heard() -> None:
    unheard = [
        line.name for line in events_doc.list_lines() if not line.at_once and not line.after_commit
    ]

    assert unheard == []
