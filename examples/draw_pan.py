"""Draw the sample brief's picture: a copper pan on a dark stove. `python examples/draw_pan.py OUT.png`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

SIZE = 640
SCALE = 2  # drawn larger and scaled down, for smooth edges


def draw() -> Image.Image:
    """An RGB picture of SIZE x SIZE pixels."""
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side), "#2a2622")
    pen = ImageDraw.Draw(image)
    for y in range(side):  # a window's light from above
        shade = int(30 * (1 - y / side))
        pen.line([(0, y), (side, y)], fill=(42 + shade, 38 + shade, 34 + shade // 2))
    pen.ellipse(_box(0.50, 0.60, 0.40, 0.34), fill="#1a1715")  # the hob
    for radius in (0.30, 0.24, 0.18):  # its flames
        pen.ellipse(_box(0.50, 0.62, radius, radius * 0.8), outline="#3d6fd1", width=6 * SCALE)
    pen.line([_at(0.74, 0.46), _at(0.97, 0.24)], fill="#4a3b30", width=30 * SCALE)  # the handle
    pen.ellipse(_box(0.965, 0.245, 0.022, 0.022), fill="#4a3b30")
    pen.ellipse(_box(0.48, 0.56, 0.33, 0.27), fill="#8a4a24")  # the rim's shadow side
    pen.ellipse(_box(0.48, 0.545, 0.33, 0.265), fill="#c9743a")
    pen.ellipse(_box(0.48, 0.545, 0.295, 0.232), fill="#e0935a")
    pen.ellipse(_box(0.48, 0.56, 0.27, 0.205), fill="#b9622f")
    for x, y, r in ((0.38, 0.52, 0.055), (0.50, 0.60, 0.06), (0.58, 0.51, 0.05), (0.44, 0.63, 0.045)):
        pen.ellipse(_box(x, y, r, r * 0.8), fill="#e9c46a", outline="#a4621f", width=4 * SCALE)  # onions, browning
        pen.ellipse(_box(x, y, r * 0.6, r * 0.48), outline="#b97a2a", width=3 * SCALE)
    glow = Image.new("L", image.size, 0)
    ImageDraw.Draw(glow).ellipse(_box(0.36, 0.42, 0.12, 0.05), fill=150)
    glow = glow.filter(ImageFilter.GaussianBlur(14 * SCALE))
    image.paste(Image.new("RGB", image.size, "#ffe6c8"), mask=glow)
    return image.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _at(x: float, y: float) -> tuple[float, float]:
    return x * SIZE * SCALE, y * SIZE * SCALE


def _box(x: float, y: float, rx: float, ry: float) -> tuple[float, float, float, float]:
    return *_at(x - rx, y - ry), *_at(x + rx, y + ry)


if __name__ == "__main__":
    draw().save(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("kupfer_pan.png")), optimize=True)
