"""What the platform can do, measured in one run on one machine, as shares of a floor measured beside it."""
