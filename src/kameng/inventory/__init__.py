"""Stock: card keys in batches, counted stock of services, reservations.

Promise: a key is sold once; it is taken by one atomic statement; its text is encrypted and bound to
its row; nothing is reserved for ever.
"""
