"""The shop as the buyer sees it. A face: it owns no tables and decides nothing."""
