"""How long, and then what: one table per platform, every value dated and cited."""
