"""The only module that moves value: immutable transfers between accounts, in integers.

Promise: every transfer debits one account and credits another by the same amount, is never changed
or deleted, and accounts with a limit (wallets) never fall below zero.
"""
