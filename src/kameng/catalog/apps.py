"""Django's registration of the app."""

from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "kameng.catalog"
    label = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
