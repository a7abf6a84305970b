"""A seeded simulation of the whole business, under virtual time and a hostile scheduler.

The code under test is the real one: deciders, desk, pump, marketplace, watchdog. Only the outside is
played: the log, the payment provider, the clock, the network and the people. `make simulate` runs it.
"""
