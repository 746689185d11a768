"""Figures over everything: reads all apps, writes nothing but roll-ups of its own."""
