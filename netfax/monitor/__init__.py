"""Which services are alive (R7.1)."""
