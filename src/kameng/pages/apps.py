"""Django's registration of the app."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "kameng.pages"
    label = "pages"
    default_auto_field = "django.db.models.BigAutoField"
