"""What every app stands on: events, clock, ids, encryption, scope, locks, audit, SQL loading.

Lowest of all apps (beside the pure `pricing`): imports nothing of Kameng, knows no business.
"""
