"""Kameng: a platform on which a main site and its sub-sites sell digital goods.

The order of the packages below is the architecture: see docs/architecture.md.
"""

__version__ = "0.1.0"
