"""The business, specified: examples in given/when/then, tables of every transition, properties."""
