"""Time: the deciding clock, and being woken at deadlines."""
