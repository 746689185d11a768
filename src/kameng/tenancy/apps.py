"""Django's registration of the app."""

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "kameng.tenancy"
    label = "tenancy"
    default_auto_field = "django.db.models.BigAutoField"
