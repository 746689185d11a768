"""The books against the world: bills of gateways, differences, closed months.

Promise: each difference becomes a case that a person decides; nothing is corrected by itself; a
closed month is sealed and what was sealed can be checked.
"""
