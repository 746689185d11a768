"""Addresses of this face."""

from django.urls import URLPattern, URLResolver

app_name = "openapi"
urlpatterns: list[URLPattern | URLResolver] = []
