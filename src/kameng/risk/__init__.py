"""Limits on rates, and the clearance without which no order is placed.

Promise: counters are bounded, expire by themselves, and a refusal says when to come back.
"""
