"""A film of a well-known player, loaded when it is wanted."""
