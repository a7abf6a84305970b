"""The read models: fed twice, in pieces, interrupted, rebuilt, and always the same."""
