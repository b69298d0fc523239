"""What the daemon is doing, read from the ledger alone, whether it runs or not."""

from img2imgd.status.report import JobReport, Report, is_running, make_report

__all__ = ["JobReport", "Report", "is_running", "make_report"]
