"""The Gradio app for content teams: it shows and asks, it decides nothing. `ui.app.launch` serves it.

Importing this package loads nothing; it only says, before Gradio can ask, that nothing is to be reported home.
"""

import os
import secrets
import tempfile
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Gradio's own place for uploads is shared by every app on a machine, and each deletes what it finds there.
_UPLOADS = f"lcbm-uploads-{os.getpid()}-{secrets.token_hex(6)}"
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir()) / _UPLOADS))
