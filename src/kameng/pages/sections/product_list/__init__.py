"""Goods as rows: dense, quick to scan."""
