"""What analysts take away, held against a log whose answers are known."""
