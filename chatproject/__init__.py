"""The Holdfast project: settings, URLs and the ASGI application."""

NAME = "Holdfast"
__version__ = "0.1.0"
