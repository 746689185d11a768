"""Pure arithmetic of money: amounts, rounding, prices, quotes, margins and refunds.

Owns no table and no state, imports no Django. Promises that every split adds up to the whole to
the last ten-thousandth of a yuan, that nothing sells under its floor, and that each result comes
with the steps that led to it. Stands above `core` only, below everything that has a price.
"""
