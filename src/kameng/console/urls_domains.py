"""Addresses of own domains: an operator's, and the platform owner's view of all."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import all_domains, domains

urlpatterns: list[URLPattern | URLResolver] = [
    path("domains/", domains.domains, name="domains"),
    path("domains/primary/", domains.primary, name="primary_domain"),
    path("domains/<int:claim_id>/", domains.domain, name="domain"),
    path("domains/<int:claim_id>/check/", domains.check, name="check_domain"),
    path("domains/<int:claim_id>/status/", domains.status, name="domain_status"),
    path("domains/<int:claim_id>/remove/", domains.remove, name="remove_domain"),
    path("all-domains/", all_domains.all_domains, name="all_domains"),
]
