"""The back office, for the platform owner and the operators of sub-sites, by role. A face."""
