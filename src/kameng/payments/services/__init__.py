"""Writes of payments, one module per business: gateways, paying, confirming, querying, refunding."""
