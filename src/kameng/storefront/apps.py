"""Django's registration of the app."""

from django.apps import AppConfig


class StorefrontConfig(AppConfig):
    name = "kameng.storefront"
    label = "storefront"
    default_auto_field = "django.db.models.BigAutoField"
