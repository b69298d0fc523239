"""Whether everything is there that img2imgd needs: what works, what does not, what mends it."""

from img2imgd.doctor.examine import examine, user_to_try
from img2imgd.doctor.findings import Finding
from img2imgd.doctor.serving import look_at_unit

__all__ = ["Finding", "examine", "look_at_unit", "user_to_try"]
