"""The business, pure: what a ticket, an order and a payment are, and what may happen to them.

Nothing in this package reads a clock, draws a random number or touches the outside. Everything that
a decision depends on is an argument.
"""
