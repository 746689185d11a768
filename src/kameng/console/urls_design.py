"""Addresses of decoration: pages, the editor and what it asks for, templates, pictures, skins."""

from django.urls import URLPattern, URLResolver, path

from kameng.console.views import design, editor, histories, mail_looks, pictures, skins, templates

PAGE = "pages/<int:page_id>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", design.design, name="design"),
    path("open/<int:kind>/", design.open_editor, name="open_page"),
    path("pages/new/", design.new_page, name="new_page"),
    path(PAGE, editor.editor, name="edit_page"),
    path(PAGE + "frame/", editor.frame, name="page_frame"),
    path(PAGE + "draft/", editor.draft, name="page_draft"),
    path(PAGE + "publish/", editor.publish, name="publish_page"),
    path(PAGE + "schedule/", editor.schedule, name="schedule_page"),
    path(PAGE + "unschedule/", editor.unschedule, name="unschedule_page"),
    path(PAGE + "discard/", editor.discard, name="discard_draft"),
    path(PAGE + "share/", editor.share, name="share_page"),
    path(PAGE + "unshare/", editor.unshare, name="unshare_page"),
    path(PAGE + "withdraw/", design.withdraw, name="withdraw_page"),
    path(PAGE + "remove/", design.remove, name="remove_page"),
    path(PAGE + "history/", histories.history, name="page_history"),
    path(PAGE + "history/<int:number>/", histories.revision_frame, name="revision_frame"),
    path(PAGE + "history/<int:number>/restore/", histories.restore, name="restore_revision"),
    path("sections/<slug:kind>/frame/", editor.section_frame, name="section_frame"),
    path("goods/", editor.goods_picker, name="design_goods"),
    path("templates/", templates.templates, name="templates"),
    path("templates/undo/", templates.undo, name="undo_decoration"),
    path("templates/<slug:key>/frame/", templates.template_frame, name="template_frame"),
    path("templates/<slug:key>/apply/", templates.apply, name="apply_template"),
    path("pictures/", pictures.pictures, name="pictures"),
    path("pictures/list/", pictures.list_pictures, name="list_pictures"),
    path("pictures/upload/", pictures.upload, name="upload_picture"),
    path("pictures/<int:picture_id>/remove/", pictures.remove, name="remove_picture"),
    path("mails/", mail_looks.mail_looks, name="mail_looks"),
    path("mails/<slug:kind>/frame/", mail_looks.mail_frame, name="mail_frame"),
    path("skins/", skins.skins, name="skins"),
    path("skins/<slug:key>/frame/", skins.skin_frame, name="skin_frame"),
    path("skins/<int:skin_id>/remove/", skins.remove, name="remove_skin"),
]
