"""The card simulator: its cards, its ledger, and how it is called."""
