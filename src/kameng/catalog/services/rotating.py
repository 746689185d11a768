"""Re-encryption of the files of imports that are not finished."""

from collections.abc import Iterator

from kameng.catalog.models import ImportJob
from kameng.catalog.uploads import renew_upload
from kameng.core.scope import platform_scope


def rotate_uploads() -> Iterator[int]:
    """Encrypt uploads with the current key where they are not; yield 1 for each. Resumable.

    An import that reads one meanwhile goes on with the file and the key that it has.
    """
    with platform_scope("rotate the keys of uploads"):
        jobs = ImportJob.unscoped.exclude(file_path="").order_by("id")
        files = list(jobs.values_list("site_id", "file_path"))
    for site_id, name in files:
        if renew_upload(name, site_id=site_id):
            yield 1
