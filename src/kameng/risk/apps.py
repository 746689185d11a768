"""Django's registration of the app."""

from django.apps import AppConfig


class RiskConfig(AppConfig):
    name = "kameng.risk"
    label = "risk"
    default_auto_field = "django.db.models.BigAutoField"
