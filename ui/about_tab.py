"""About the model: who is speaking, and what it can and cannot say."""

from __future__ import annotations

import gradio as gr

from ui import render
from ui.services import Services


class AboutTab:
    """Builds the tab; `refresh` draws it again once the models are loaded."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.html = gr.HTML(self.refresh(), elem_id="about")

    def refresh(self) -> str:
        """The page as the models stand now."""
        if self.services.loading.phase != "ready":
            return render.about(None, None, None)
        models = self.services.models()
        judge = models.judge.identity.label if models.judge else None
        return render.about(models.simulator.identity, judge, ", ".join(w.name for w in models.writers))
