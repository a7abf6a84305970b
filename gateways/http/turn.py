"""Whose turn it is: what a request says to the event loop about itself, where the loop listens to it."""

from contextvars import ContextVar

GOES_FIRST: ContextVar[bool] = ContextVar("goes_first", default=False)
"""Whether the steps of a task in whose context this is true go before all others (deploy/lanes.py).

Requests by a method that only reads begin so. What a task begins inherits it.
"""
