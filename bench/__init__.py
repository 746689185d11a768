"""Speed and memory of the whole system, measured over HTTP on a stack of its own.

`kameng bench [--quick] [--json]`: one run gives every figure and its ratio to what the same
database does with one minimal transaction an order.
"""
