"""Goods as a grid of cards, in one of several card shapes."""
