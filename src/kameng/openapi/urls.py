"""Addresses of this face."""

from django.urls import URLPattern, URLResolver, path

from kameng.openapi.views import callbacks, document, machines

app_name = "openapi"
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", machines.health, name="health"),
    path("metrics", machines.show_metrics, name="metrics"),
    path("internal/tls-permission", machines.tls_permission, name="tls_permission"),
    path(
        "internal/tls-permission/<str:secret>",
        machines.tls_permission,
        name="tls_permission_secret",
    ),
    path("openapi.json", document.show_document, name="document"),
    path("notify/<int:gateway_id>/", callbacks.gateway_callback, name="gateway_callback"),
]
