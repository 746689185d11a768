"""How a sub-site and others come to what the ledger says is theirs: splits and withdrawals.

Promise: a claim is paid out once, by a gateway's split, by a transfer, or by a bank file whose
result was matched back; what is uncertain is asked about, never repeated blindly.
"""
