"""People: staff users (global) with roles on sites, customers (per site), sessions, one-time codes.

Promise: a customer or a session of one site means nothing on another; passwords are argon2;
contact data is encrypted and found only through keyed digests.
"""
