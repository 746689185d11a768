"""How to reach the shop."""
