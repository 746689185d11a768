"""Kameng behind the proxy that it brings the configuration of."""
