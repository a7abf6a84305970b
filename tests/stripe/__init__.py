"""A double of Stripe's API for tests and trials: a process of its own, with a ledger on disk.

The product never starts it. What it does is written from Stripe's public documentation, whose pages
the modules name; where a page is silent, the module says so.
"""
