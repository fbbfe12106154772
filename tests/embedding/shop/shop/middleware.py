"""Middleware of the shop, older than async."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ShopHeaders:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["X-Shop"] = "open"
        response["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data:"
        return response
