"""The pages of the shop, one module per part of a visit."""
