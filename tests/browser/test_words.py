"""Times, sizes and addresses in words: the page's pure functions, in the browser they run in."""

from __future__ import annotations

from browsing import OpenPage, Studio

CASES = [
    ("words", "duration(40)", "40 s"),
    ("words", "duration(125)", "2 min"),
    ("words", "duration(3 * 3600 + 300)", "3 h 5 min"),
    ("words", "duration(72 * 3600)", "3 days"),
    ("words", "left(null)", ""),
    ("words", "left(3)", "a moment left"),
    ("words", "left(43)", "about 45 s left"),
    ("words", "ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:20Z'))", "just now"),
    ("words", "ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:01:05Z'))", "1 min ago"),
    ("words", "ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T02:00:00Z'))", "2 h ago"),
    ("words", "until('2026-01-01T00:00:08Z', Date.parse('2026-01-01T00:00:00Z'))", "in 8 s"),
    ("words", "until('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:08Z'))", "any moment"),
    ("words", "bytes(999)", "999 B"),
    ("words", "bytes(1_200_000)", "1.2 MB"),
    ("words", "bytes(112e9)", "112 GB"),
    ("words", "counted(1, 'match', 'matches')", "1 match"),
    ("words", "counted(10000, 'job')", "10,000 jobs"),
    ("words", "fileName('a/b/cat.png')", "cat.png"),
    ("routes", "readRoute('#job/a%2Fb').id", "a/b"),
    ("routes", "readRoute('#job/%').view", "now"),
    ("routes", "readRoute('#results?q=a%20lake').query", "a lake"),
    ("routes", "readRoute('#elsewhere').view", "now"),
    ("fields", "readSize('768 x 512')", [768, 512]),
    ("fields", "readSize('768')", 768),
    ("fields", "readSize('Keep')", "keep"),
    ("fields", "readLines(' turner \\n\\n hokusai ')", ["turner", "hokusai"]),
    ("fields", "readLines('turner')", "turner"),
]


def test_words_and_addresses(open_page: OpenPage, studio: Studio) -> None:
    page = open_page(studio, "#now").page
    found = [
        page.evaluate(f"import('/static/js/{module}.js').then((all) => all.{call})")
        for module, call, _ in CASES
    ]
    assert found == [expected for _, _, expected in CASES]
