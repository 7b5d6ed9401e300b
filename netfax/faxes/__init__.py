"""The life of a fax, outward and inward."""
