"""Conversations and messages as files, of any length."""
