"""Workers wake each other: a reader elsewhere need not wait for the next poll.

What is said between workers are ids of runs. The tables stay the truth, and each message may be
lost: then a poll finds out, later. So nothing here is ever repeated, queued for long, or raised.
"""
