"""The demo: a main site and three sub-sites with goods, keys, customers and three months of orders.

Everything comes in through the product's own import and services; only the stamps of the history
are moved afterwards (`dating`). A load that was cut short is wiped and begun anew.
"""

from kameng.config.demo.loading import is_empty, load

__all__ = ["is_empty", "load"]
