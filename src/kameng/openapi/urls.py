"""Addresses of this face."""

from django.urls import URLPattern, URLResolver, path

from kameng.openapi.views import callbacks

app_name = "openapi"
urlpatterns: list[URLPattern | URLResolver] = [
    path("notify/<int:gateway_id>/", callbacks.gateway_callback, name="gateway_callback"),
]
