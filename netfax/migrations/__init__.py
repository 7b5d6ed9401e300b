"""Alembic migrations; names in words; safe on a live system."""
