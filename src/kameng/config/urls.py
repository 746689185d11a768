"""The faces and where they hang."""

from django.urls import include, path

urlpatterns = [
    path("", include("kameng.openapi.urls")),
    path("console/", include("kameng.console.urls")),
    path("", include("kameng.storefront.urls")),
]
handler400 = "kameng.web.errors.bad_request"
handler403 = "kameng.web.errors.forbidden"
handler404 = "kameng.web.errors.not_found"
handler500 = "kameng.web.errors.server_error"
