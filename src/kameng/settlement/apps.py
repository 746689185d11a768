"""Django's registration of the app."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    name = "kameng.settlement"
    label = "settlement"
    default_auto_field = "django.db.models.BigAutoField"
