"""Writes of settlement, one module a business."""
