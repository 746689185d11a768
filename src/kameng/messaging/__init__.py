"""Messages to people: the inbox on the site and e-mail, written as rows and sent by the worker.

Promise: a message is written in the transaction of what it speaks of, and sent at least once.
"""
