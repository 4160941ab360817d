"""The Gradio app for content teams: it shows and asks, it decides nothing. `ui.app.launch` serves it.

Importing this package loads nothing; it only says, before Gradio can ask, that nothing is to be reported home.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
