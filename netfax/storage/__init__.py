"""Stored files: written once, fsynced, named by us, with their SHA-256."""
