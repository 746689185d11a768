"""Writes of orders, one module per business: placing, paying, delivering, refunding, closing."""
