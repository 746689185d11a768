"""Lists that people take away: what `web.sheets` writes, under the name that this face knows."""

from kameng.web.sheets import MEMORY_BYTES, TYPES, Column, Kind, disarm, write_sheet

__all__ = ["MEMORY_BYTES", "TYPES", "Column", "Kind", "disarm", "write_sheet"]
