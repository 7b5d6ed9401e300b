"""`netfax …`, the operator's hand, and the supervisor of the all-in-one machine."""
