"""Password hashes: Argon2id with the parameters that OWASP names for a small machine.

19 MiB, two passes, one lane: about 25 ms of one core. A hash made with other parameters still
verifies and is renewed at the next sign-in.
"""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id, 19 MiB, t=2, p=1."""

    memory_cost = 19_456
    time_cost = 2
    parallelism = 1
