"""Runs, their journal and their readers: replies that outlive every connection.

This package knows runs, text and readers. It never imports the package that owns
conversations; the seam is a *source* given to `runner.start` and the *recorder* named in
`STREAMING["RECORDER"]`.
"""
