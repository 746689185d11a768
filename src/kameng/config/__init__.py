"""The composition root: settings, URLs, wiring of events, the processes, the command line.

Top of the order: it may import everything, nothing imports it.
"""
