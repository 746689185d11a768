"""The shelves of the shop as icons, chips or a list."""
