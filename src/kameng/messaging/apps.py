"""Django's registration of the app."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "kameng.messaging"
    label = "messaging"
    default_auto_field = "django.db.models.BigAutoField"
