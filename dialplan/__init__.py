"""Asterisk's configuration as templates, their renderer, and the simulated telephone network."""
