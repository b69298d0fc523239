"""The web page: served by the supervisor, fed by the ledger, with the inbox as its only door."""
