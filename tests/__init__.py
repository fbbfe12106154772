"""Tests mirror the packages; `integration` drives real server processes."""
