"""A picture with points that lead to goods."""
