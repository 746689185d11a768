"""Entry points of jobs."""

from kameng.pages.services.publishing import publish_due


def publish_pages() -> int:
    """Publish the pages whose time has come; return how many."""
    return publish_due()
