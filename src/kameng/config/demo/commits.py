"""Commits of the load: they need not wait for the disk; a load that is cut is begun anew."""

from kameng.core.database import fetch


def relax_commits() -> None:
    """Let this thread's connection not wait for the disk at each commit."""
    fetch("set synchronous_commit = off")
