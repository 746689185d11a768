"""Django's registration of the app."""

from django.apps import AppConfig


class InsightConfig(AppConfig):
    name = "kameng.insight"
    label = "insight"
    default_auto_field = "django.db.models.BigAutoField"
