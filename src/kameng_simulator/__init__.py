"""A payment gateway for demos and tests: speaks epay v1 and Alipay, and signs for real.

A separate program that shares no code with Kameng, so that a mistake in one shows against the
other. Moves no money. Listens on this machine only; keeps its state in one SQLite file.
"""
