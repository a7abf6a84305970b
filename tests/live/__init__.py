"""The product as it is started, under load, with what the world does to it. Sizes come from the environment.

``ADMITONE_TEST_ROUNDS``: rounds of contention. ``ADMITONE_TEST_KILLS``: processes killed under load.
"""
