"""The settings of the embedded server: full durability, little memory, nothing private in its log.

Pure: text in, text out. Sized for two cores and one gibibyte; `ALTER SYSTEM` overrides any of them.
"""

from collections.abc import Mapping

# Why, where it is not plain: no parallel queries (two cores serve the web, and /dev/shm is small in
# containers); statements and error details stay out of the log because they hold personal data;
# `huge_pages` off because some containers kill a process that uses them.
BASE: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "48MB",
    "huge_pages": "off",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "autovacuum_work_mem": "32MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_worker_processes": "4",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_wal_senders": "2",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "min_wal_size": "160MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_cost_limit": "1000",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_startup_progress_interval": "5s",
}

# Read-ahead by worker processes costs memory and gains nothing when the data is in memory.
SINCE_18: Mapping[str, str] = {"io_method": "sync"}


def quote(value: str) -> str:
    """Write one value as postgresql.conf reads it."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def render_settings(
    *, major: int, socket_folder: str, extra: Mapping[str, str] | None = None
) -> str:
    """Return the text of the settings file; `extra` wins over what stands here."""
    settings = {
        **BASE,
        **(SINCE_18 if major >= 18 else {}),
        "unix_socket_directories": socket_folder,
        **(extra or {}),
    }
    lines = [f"{name} = {quote(value)}\n" for name, value in sorted(settings.items())]
    head = "# Written by Kameng at each start. Change settings with ALTER SYSTEM instead.\n"
    return head + "".join(lines)
