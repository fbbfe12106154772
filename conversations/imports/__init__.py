"""Conversations from files: our own exports, and ChatGPT's.

`archive` opens a file, `items` reads the JSON in it one conversation at a time, `ours` and
`chatgpt` turn each into a `FoundConversation`, and `storing` writes it; `taking` leads through all
of it. Nothing here trusts what a file says.
"""
