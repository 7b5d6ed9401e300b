"""The portal, in Chinese and English."""

from webapp.factory import create_app

__all__ = ["create_app"]
