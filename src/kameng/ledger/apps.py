"""Django's registration of the app."""

from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "kameng.ledger"
    label = "ledger"
    default_auto_field = "django.db.models.BigAutoField"
