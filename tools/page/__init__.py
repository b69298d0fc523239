"""The page in a real browser: Chromium, a root worth showing, its pictures for the docs."""
