"""The page in a real browser: starting Chromium, a root worth showing, its pictures for the docs."""
