"""Environment that a worker process sets before it imports diffusers and transformers. Imports neither."""

import logging
import os


def prepare(*, downloads: bool = False) -> None:
    """Disable risky defaults of diffusers and the hub client; call it before anything imports them.

    No code from model folders, no telemetry, no progress bars, and no network unless the operator allows downloads.
    """
    os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "0" if downloads else "1"
    for name in ("transformers.utils.import_utils", "diffusers.models.modeling_utils"):
        logging.getLogger(name).addFilter(_worth_saying)


#: Log messages to drop: advice to install a package that Easel never uses, and a warning about an empty list.
_HUSHED = ("requires torchvision (not installed)", "should be kept in float32: []")


def _worth_saying(record: logging.LogRecord) -> bool:
    return not any(phrase in record.getMessage() for phrase in _HUSHED)
