"""Addresses of a shop's end and handing over, and of who runs it before the law."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import handing_over, leaving, licences

urlpatterns: list[URLPattern | URLResolver] = [
    path("archives/", leaving.archives, name="archives"),
    path("archives/<int:archive_id>/", leaving.archive_progress, name="archive_progress"),
    path("archives/<int:archive_id>/file/", leaving.archive_file, name="archive_file"),
    path("archives/<int:archive_id>/remove/", leaving.drop_archive, name="drop_archive"),
    path("closing-shop/", leaving.shop_closing, name="shop_closing"),
    path("closing-shop/act/", leaving.act_on_closing, name="act_on_closing"),
    path("hand-over/", handing_over.hand_over, name="hand_over"),
    path("hand-over/take-back/", handing_over.take_offer_back, name="take_offer_back"),
    path("legal/", licences.legal, name="legal"),
    path("legal/withdraw/", licences.withdraw_legal, name="withdraw_legal"),
    path("legal/look-inside/", licences.look_inside, name="look_inside"),
    path("licences/", licences.licences, name="licences"),
    path("licences/<int:licence_id>/", licences.licence, name="licence"),
    path("licences/<int:licence_id>/decide/", licences.decide_licence, name="decide_licence"),
]
