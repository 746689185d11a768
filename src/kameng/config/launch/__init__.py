"""The machine layer: everything between a fresh computer and the running program.

Owns the home folder, the embedded PostgreSQL server, the supervisor and the web server's processes.
Knows nothing of Django: it must start before the settings can be read, and stay small in memory.
Promise: whatever was killed, and however, the next start recovers by itself.
"""
