"""Questions and answers that fold."""
