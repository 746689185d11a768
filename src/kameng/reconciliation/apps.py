"""Django's registration of the app."""

from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "kameng.reconciliation"
    label = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"
