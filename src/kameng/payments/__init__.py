"""Payments as attempts: gateways with their credentials, payments, callbacks, refunds.

Promise: a payment is confirmed once, only by a verified statement of its own gateway about its own
number and amount; no gateway is called inside a transaction; what is uncertain is asked again.
"""
