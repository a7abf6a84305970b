"""Read models: what the log says, in tables that can be thrown away and made again."""
