"""The fax business, in feature rooms; it knows nothing of web pages, calls or workers."""
