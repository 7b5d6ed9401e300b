"""Trunks, their ports, and the choice of a route."""
