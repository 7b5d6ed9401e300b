"""Covers (封面): templates in HTML, the variables in them, and what a sender's fax puts into those."""
