"""Addresses of a sub-site's child sites."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import child_invitations, children

urlpatterns: list[URLPattern | URLResolver] = [
    path("children/", children.children, name="children"),
    path("children/new/", children.new_child, name="new_child"),
    path("children/invitations/", child_invitations.invitations, name="child_invitations"),
    path(
        "children/invitations/<int:invitation_id>/withdraw/",
        child_invitations.withdraw,
        name="withdraw_child_invitation",
    ),
    path("children/terms/", children.child_terms, name="child_terms"),
    path("children/terms/preview/", children.preview_terms, name="preview_child_terms"),
    path("children/<int:child_id>/", children.child, name="child"),
    path("children/<int:child_id>/usual/", children.usual_terms, name="usual_child_terms"),
    path("children/<int:child_id>/halt/", children.halt_child, name="halt_child"),
    path("children/<int:child_id>/resume/", children.resume_child, name="resume_child"),
]
