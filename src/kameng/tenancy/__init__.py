"""Sites, their domains and plans, typed site settings, and the scope that keeps sites apart.

Promise: a row of one site is never read or written under another; no scope means no rows.
"""
