"""Django's registration of the app."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "kameng.console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"
