"""The order: placing, paying, delivering, refunding. The one aggregate that joins goods and money.

Promise: a paid order always ends delivered or refunded, or stands on an operator's screen; every
change of state is a compare-and-set along `rules.ALLOWED`.
"""
