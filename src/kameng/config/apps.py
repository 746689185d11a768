"""Start of every process: the same-transaction column of the wiring is installed."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "kameng.config"
    label = "config"

    def ready(self) -> None:
        """Install the wiring."""
        from kameng.config import wiring
        from kameng.core import events

        events.connect(wiring.SAME_TRANSACTION)
        events.connect_consumers(
            {each.name: [event.KIND for event in each.events] for each in wiring.AFTER_COMMIT}
        )
