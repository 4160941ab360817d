"""Where the look of the library, campaigns and research tabs stands, beside the app's own (`ui.theme.CSS`)."""

from __future__ import annotations

from pathlib import Path

TABS_CSS = Path(__file__).parent / "assets" / "tabs.css"
