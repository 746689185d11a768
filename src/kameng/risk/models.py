"""Table of the counters. Unlogged in spirit: losing it in a crash only forgets recent attempts."""

from typing import ClassVar

from django.db import models


class Throttle(models.Model):
    """Hits of one key in one window. The key is a digest: no address is stored in clear."""

    key = models.BinaryField(primary_key=True, max_length=16)
    hits = models.IntegerField()
    window_ends_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["window_ends_at"], name="risk_throttle_expiry")]
