"""The page: what the daemon does, shown in a browser; it writes to the inbox and to the ledger."""
