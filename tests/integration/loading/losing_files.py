"""Paints a frame, then overwrites the model's weight files in place, paints it again, then cuts
the files off, and paints it once more; prints each picture's hash. Arguments: the picture, the
folder whose weight files are lost, and ``key=value`` of the model's row."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from engines import paint, spec, task

from img2imgd.engine.factory import create_engine
from img2imgd.engine.protocol import LoraSpec


def main() -> None:
    image, files = Path(sys.argv[1]), sorted(Path(sys.argv[2]).rglob("*.safetensors"))
    row = dict(word.split("=") for word in sys.argv[3:])
    loras = (LoraSpec(row.pop("lora")),) if "lora" in row else ()
    engine = create_engine("diffusers")
    engine.load(spec(row.pop("source"), loras=loras, **row))

    def tell() -> None:
        picture, _ = paint(engine, task(image, steps=2, strength=1.0))
        sys.stdout.write(hashlib.sha256(picture.tobytes()).hexdigest() + "\n")
        sys.stdout.flush()

    tell()
    for file in files:
        with file.open("r+b") as inside:
            inside.write(b"x" * file.stat().st_size)
    tell()
    for file in files:
        with file.open("r+b") as inside:
            inside.truncate(0)
    tell()


if __name__ == "__main__":
    main()
