"""Goods in one row that is pushed sideways."""
