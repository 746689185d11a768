"""Django's registration of the app."""

from django.apps import AppConfig


class OpenapiConfig(AppConfig):
    name = "kameng.openapi"
    label = "openapi"
    default_auto_field = "django.db.models.BigAutoField"
