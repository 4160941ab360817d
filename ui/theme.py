"""Colours, type and spacing. Fonts are those of the reader's own system: nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CSS = [Path(__file__).parent / "assets" / name for name in ("app.css", "cards.css", "table.css")]


def theme() -> Any:
    """Warm paper by day, warm ink by night, one teal accent."""
    import gradio as gr

    sans = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
    made = gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=sans,
        font_mono=("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"),
    )
    return made.set(
        body_background_fill="#faf8f5",
        body_background_fill_dark="#171412",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#201c19",
        background_fill_secondary="#f5f2ed",
        background_fill_secondary_dark="#1b1815",
        block_background_fill="#ffffff",
        block_background_fill_dark="#201c19",
        block_border_color="#e7e2da",
        block_border_color_dark="#38322d",
        border_color_primary="#e0dad1",
        border_color_primary_dark="#38322d",
        body_text_color="#292420",
        body_text_color_dark="#ede8e1",
        body_text_color_subdued="#6b635a",
        body_text_color_subdued_dark="#a89f94",
        block_info_text_color="#6b635a",
        block_info_text_color_dark="#a89f94",
        block_label_text_color="#4b443d",
        block_label_text_color_dark="#cfc7bc",
        block_title_text_color="#35302a",
        block_title_text_color_dark="#ded7cd",
        block_title_text_weight="600",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="#fdfcfa",
        input_background_fill_dark="#181513",
        input_border_color="#d9d2c7",
        input_border_color_dark="#453e37",
        input_border_color_focus="#0d9488",
        input_border_color_focus_dark="#2dd4bf",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_placeholder_color="#857b70",
        input_placeholder_color_dark="#8d8479",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_dark="#14b8a6",
        button_primary_background_fill_hover_dark="#2dd4bf",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0b1f1d",
        button_primary_text_color_hover_dark="#0b1f1d",
        button_secondary_background_fill="#f1ede6",
        button_secondary_background_fill_hover="#e8e2d8",
        button_secondary_background_fill_dark="#2c2723",
        button_secondary_background_fill_hover_dark="#38322d",
    )
