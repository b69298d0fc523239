"""What keeps img2imgd small when it is left alone: old files, old jobs, leftovers of crashes."""

from img2imgd.upkeep.upkeep import Upkeep

__all__ = ["Upkeep"]
