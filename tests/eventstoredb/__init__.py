"""A double of EventStoreDB: an in-memory server that speaks its gRPC protocol over real HTTP/2.

For tests and trials only. It keeps nothing on disk and shares no code with EventStoreDB; it was written
from a description of how that server behaves towards its clients. Unmodified `esdbclient` clients talk
to it, and it can be told to fail in the ways in which a database and a network fail.

Try it by hand: ``python -m tests.eventstoredb --port 2113``.
"""
