"""Entry points of jobs."""

from kameng.tenancy.checking import check_due


def check_domains() -> int:
    """Look at the domains whose look is due; return how many."""
    return check_due()
