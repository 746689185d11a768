"""Writes of this app, a module a business."""
