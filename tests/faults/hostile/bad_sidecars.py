"""Sidecars that attack the YAML reader, ask for what is not theirs, or for far too much."""

from __future__ import annotations

from cases import SIDECAR, Case, encoded

BASE = b"steps: 2\n"


def cases() -> list[Case]:
    """Each beside a good picture of its own."""
    refused = [*_yaml(), *_encodings(), *_values(), *_paths()]
    return [
        *(
            Case(f"sidecars/{name}.png", "failed", words, encoded(), sidecar)
            for name, words, sidecar in refused
        ),
        *(
            Case(f"sidecars/{name}.png", "done", words, encoded(), sidecar)
            for name, words, sidecar in _served()
        ),
        Case("lists/_long.txt", "inbox", "", b"x" * 10_001),
        Case("lists/_broken.csv", "inbox", "", b'name,prompt\n"x'),
        Case(
            "lists/long.png", "failed", "too long", encoded(), b"prompt: {from: _long.txt}\n" + BASE
        ),
        Case(
            "lists/csv.png",
            "failed",
            "never closed",
            encoded(),
            b"prompt: {from: _broken.csv}\n" + BASE,
        ),
        *_lists_of_pictures(),
    ]


def _yaml() -> list[tuple[str, str, bytes]]:
    laughs = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefghi"
    )
    return [
        ("nested-lists", "nested", b"prompt: " + b"[" * 30_000),
        ("nested-mappings", "nested", b"prompt: " + b"{a: " * 8_000),
        ("nested-blocks", "nested", b"".join(b" " * n + b"a:\n" for n in range(300))),
        ("nested-dashes", "nested", b"prompt:\n" + b"- " * 20_000 + b"x\n"),
        ("question-marks", "a key must be a word", b"? " * 20_000 + b"x\n"),
        ("aliases", "YAML anchor", laughs),
        ("itself", "YAML anchor", b"prompt: &a [*a]\n"),
        ("python", "YAML tag", b"prompt: !!python/object/apply:os.system ['touch /tmp/owned']\n"),
        ("python-name", "YAML tag", b"!!python/name:os.system : x\n"),
        ("python-top", "YAML tag", b"!!python/object/new:type {}\n"),
        ("binary", "YAML tag", b"prompt: !!binary aGVsbG8=\n"),
        ("merge", "merges mappings", b"<<: {prompt: a lake}\n"),
        ("two-documents", "second document", b"prompt: a\n---\nprompt: b\n"),
        ("directive", "begins with %", b"%YAML 9.9\n---\nprompt: a\n"),
        ("tag-directive", "YAML tag", b"%TAG ! tag:x,2000:\n---\nprompt: !foo a\n"),
        ("twice", "given before, on line 1", b"prompt: a\nprompt: b\n"),
        ("many-keys", "more than 10,000 values", b"".join(b"k%d: 1\n" % n for n in range(6000))),
        ("many-values", "more than 10,000 values", b"prompt: [" + b"a," * 20_000 + b"a]\n"),
        ("list", "holds a list", b"- prompt: a\n"),
        ("text", "without a key", b"just some words\n"),
        ("tabs", "tab", b"sweep:\n\tstrength: [0.1, 0.2]\nprompt: a\n"),
        ("open-quote", "quote is opened", b'prompt: "a lake\nsteps: 2\n'),
        ("key-of-list", "a key must be a word", b"? [a, b]\n: c\nprompt: a\n"),
        ("long-key", "longer than any there is", b"k" * 5000 + b": 1\n"),
        ("empty", "no prompt", b"\n"),
        ("comment", "no prompt", b"# prompt: a lake\n"),
    ]


def _encodings() -> list[tuple[str, str, bytes]]:
    text = "prompt: Häuser am See\nsteps: 2\n"
    return [
        ("utf16-bare", "NUL byte", text.encode("utf-16-le")),
        ("utf32", "NUL byte", text.encode("utf-32")),
        ("latin1", "in Latin-1 it would be “ä”", text.encode("latin-1")),
        ("utf16-cut", "UTF-16", text.encode("utf-16")[:-1]),
        ("nuls", "NUL byte", bytes(500)),
        ("nul-inside", "NUL byte", b"prompt: a\0b\n"),
        ("control", "control character U+001B", b"prompt: \x1b[31mred\n"),
        ("surrogate", "not UTF-8", b"prompt: \xed\xa0\x80\n"),
        ("overlong", "not UTF-8", b"prompt: \xc0\xaf\n"),
        ("megabyte", "more than the 65,536 bytes", b"prompt: " + b"a " * 500_000 + b"\n"),
        ("picture-as-sidecar", "not UTF-8", encoded()),
        ("nul-escape", "U+0000", b'prompt: "a\\0b"\nsteps: 2\n'),
        ("surrogate-escape", "U+D800", b'prompt: "\\uD800"\nsteps: 2\n'),
        ("beyond-unicode", "names no character", b'prompt: "\\UFFFFFFFF"\n'),
    ]


def _values() -> list[tuple[str, str, bytes]]:
    def asking(keys: str) -> bytes:
        return f"prompt: a lake\n{keys}\n".encode()

    return [
        ("digits", "5,000 digits", asking("seed: " + "9" * 5000)),
        ("hex", "too many", asking("seed: 0x" + "f" * 5000)),
        ("big-exponent", "no finite number", asking("strength: 1e999999999")),
        ("infinite", "no finite number", asking("strength: .inf")),
        ("not-a-number", "no finite number", asking("strength: .NaN")),
        ("nan-word", "must be a number", asking("strength: nan")),
        ("zero", "more than 0", asking("strength: 0")),
        ("negative", "more than 0", asking("strength: -0.5")),
        ("many-steps", "at most 1000", asking("steps: 999999999999")),
        ("seed-minus-one", "fresh one", asking("seed: -1")),
        ("boolean-seed", "must be a whole number", asking("seed: true")),
        ("norway", "must be true or false", asking("restore_size: no")),
        ("huge-size", "from 64 to 8192", asking("size: 999999")),
        ("no-size", "from 64 to 8192", asking("size: [0, 0]")),
        ("unknown-key", "no such key", asking("__class__: x")),
        ("output-path", "no such key", asking("output: /etc/cron.d/x")),
        (
            "million-frames",
            "1,000,000 frames",
            asking("steps: 100\nn: 1000\nsweep: {strength: {from: 0.001, to: 1, count: 1000}}"),
        ),
        (
            "endless-range",
            "at most 400 are allowed",
            asking("sweep: {strength: {from: 0.1, to: 1, step: 1e-300}}"),
        ),
        ("still-range", "never arrives", asking("sweep: {strength: {from: 0.1, to: 1, step: 0}}")),
        (
            "huge-count",
            "at most 1000000",
            asking("sweep: {strength: {from: 0.1, to: 1, count: 99999999999}}"),
        ),
        (
            "many-axes",
            "frames",
            asking(
                "sweep:\n  seed: {from: 0, to: 4294967295, step: 1}\n"
                "  strength: {from: 0.001, to: 1, count: 1000}"
            ),
        ),
        ("no-prompt-list", "no prompt", b"prompt: []\n"),
        ("number-prompt", "must be text", b"prompt: 5\n"),
        ("empty-prompt", "no prompt", b"prompt: '   '\n"),
        ("long-prompt", "at most 10,000", b"prompt: " + b"a" * 10_001 + b"\n"),
        ("choices-without-end", "at most 10,000 characters", b'prompt: "' + b"{a|" * 5000 + b'"\n'),
        (
            "many-choices",
            "500 frames; at most 400",
            b'prompt: "' + b"{a|b}" * 2000 + b'"\nn: 500\n',
        ),
    ]


def _paths() -> list[tuple[str, str, bytes]]:
    def asking(keys: str) -> bytes:
        return f"prompt: a lake\nsteps: 2\n{keys}\n".encode()

    return [
        ("model-path", "has no model “../..”", asking("model: ../..")),
        ("model-absolute", "has no model “/etc/passwd”", asking("model: /etc/passwd")),
        ("model-hub", "has no model", asking("model: evil/pickle")),
        ("model-newline", "has no model", asking('model: "demo\\nx"')),
        ("style-list-path", "another folder", asking("style: {from: ../_secret.txt}")),
        ("style-list-absolute", "another folder", asking("style: {from: /etc/passwd}")),
        ("style-list-hidden", "hidden", asking("style: {from: .styles.csv}")),
        ("style-list-backslash", "another folder", asking("style: {from: '..\\\\secret.csv'}")),
        ("prompt-list-path", "another folder", b"prompt: {from: ../../_secret.txt}\nsteps: 2\n"),
        ("prompt-list-nul", "U+0000", b'prompt: {from: "_x\\0.txt"}\nsteps: 2\n'),
        (
            "prompt-list-absent",
            "there is no list “_absent.txt”",
            b"prompt: {from: _absent.txt}\nsteps: 2\n",
        ),
        (
            "prompt-list-long",
            "there is no list",
            b"prompt: {from: _" + b"x" * 5000 + b".txt}\nsteps: 2\n",
        ),
        ("scheduler-path", "there is no scheduler", asking("scheduler: ../../etc")),
    ]


def _served() -> list[tuple[str, str, bytes]]:
    def asking(prompt: str) -> bytes:
        return f'prompt: "{prompt}"\nsteps: 2\n'.encode()

    return [
        ("backward", "", b"prompt: x\nsweep: {strength: {from: 1, to: 0.5, step: 0.1}}\n"),
        ("slashes", "", asking("../../../etc/passwd")),
        ("absolute", "", asking("/dev/null")),
        ("lines", "", asking("a\\nb\\r\\nc\\td")),
        ("emoji", "", asking("🦊👩‍👩‍👧 Ährenfeld 数字 नमस्ते")),
        ("right-to-left", "", asking("gnp.\u202egolf")),
        ("ten-thousand", "", asking("🦊" * 10_000)),
        ("fields", "", asking("{stem}{0}{job.__class__}%s%n")),
        ("only-signs", "", asking("/////")),
        ("device-name", "", asking("CON")),
        ("xml", "", asking("</rdf:RDF> ]]> <!-- & ' \\\"")),
        ("infotext", "", asking("a\\nNegative prompt: b\\nSteps: 1, Seed: 1, Size: 9x9")),
        ("bom", "", b"\xef\xbb\xbf" + SIDECAR),
        ("utf16", "", "prompt: Häuser\nsteps: 2\n".encode("utf-16")),
        ("crlf", "", SIDECAR.replace(b"\n", b"\r\n")),
        ("bare-cr", "", SIDECAR.replace(b"\n", b"\r")),
        ("json", "", b'{"prompt": "a lake", "steps": 2}'),
        ("document-marks", "", b"---\nprompt: a lake\nsteps: 2\n...\n"),
    ]


def _lists_of_pictures() -> list[Case]:
    def listing(name: str, images: str, words: str) -> Case:
        return Case(
            f"shared/{name}.yaml", "failed", words, f"prompt: x\nimages: {images}\n".encode()
        )

    return [
        listing("up", '["../x.png"]', "another folder"),
        listing("absolute", '["/etc/passwd"]', "another folder"),
        listing("backslash", "['..\\\\x.png']", "another folder"),
        listing("hidden", '[".img2imgd"]', "hidden"),
        listing("dots", '[".."]', "hidden"),
        listing("none", "[]", "at least one picture"),
        listing("long", "[" + "x" * 300 + ".png]", "longer than a file name"),
        listing("nul", '["a\\0.png"]', "U+0000"),
        listing("absent", '["absent.png", "*.absent"]', "None of the pictures"),
        listing("slow-glob", '["' + "*a" * 100 + 'b.png"]', "None of the pictures"),
    ]
