"""The real EventStoreDB that tests may run on as well, where the environment names one."""

import os

VARIABLE = "ADMITONE_TEST_ESDB"

NODE = os.environ.get(VARIABLE)
"""Its URI; None if there is none. Its database need not be empty, and is not emptied."""

CLUSTER = NODE is not None and (NODE.startswith("esdb+discover://") or "," in NODE)
"""Whether it names a cluster rather than one node."""

SECURE = NODE is not None and "tls=false" not in NODE.lower()
"""Whether it is reached over TLS."""

KINDS = ["double", "real"] if NODE else ["double"]
"""On what a test runs that holds for any server."""
