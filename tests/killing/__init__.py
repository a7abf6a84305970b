"""Processes that die at each step of a purchase, whatever else befalls the payment provider meanwhile."""
