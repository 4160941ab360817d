"""Pictures from strangers: what is refused, and that what is taken is upright RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lcbm_model.errors import PictureError
from lcbm_model.vision import images
from lcbm_model.vision.images import open_picture, to_pixels


def save(path: Path, size: tuple[int, int] = (40, 20), mode: str = "RGB", **kwargs: object) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **kwargs)
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.jpg", "RGB"), ("a.jpg", "CMYK"), ("a.png", "L"), ("a.png", "P"), ("a.webp", "RGB"),
     ("a.gif", "P"), ("a.png", "RGBA"), ("a.png", "LA"), ("a.png", "1"), ("a.png", "I;16"), ("a.bmp", "RGB")],
)  # fmt: skip
def test_common_kinds_open_as_rgb(tmp_path: Path, name: str, mode: str) -> None:
    path = tmp_path / name
    if mode == "I;16":
        Image.fromarray(np.arange(800, dtype=np.uint16).reshape(20, 40)).save(path)
    else:
        save(path, mode=mode)
    picture = open_picture(path)
    assert picture.mode == "RGB"
    assert picture.size == (40, 20)


def test_exif_rotation_is_undone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 20), (200, 30, 30)).save(path, exif=exif)
    assert open_picture(path).size == (20, 40)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(path)
    assert open_picture(path).getpixel((0, 0)) == (255, 255, 255)


def broken_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Name -> (path, part of the message)."""
    whole = save(folder / "whole.png", (300, 300)).read_bytes()
    jpeg = save(folder / "whole.jpg", (300, 300)).read_bytes()
    files = {
        "truncated.png": (whole[: len(whole) // 2], "cannot be decoded"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "cannot be decoded"),
        "header.png": (whole[:20], "not a picture|cannot be decoded"),
        "empty.png": (b"", "empty"),
        "text.png": (b"hello, I am a picture", "not a picture"),
        "vector.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', "not a picture"),
        "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        "noise.jpg": (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4, "not a picture|cannot be decoded"),
    }
    found = {}
    for name, (content, message) in files.items():
        (folder / name).write_bytes(content)
        found[name] = (folder / name, message)
    found["missing"] = (folder / "missing.png", "no such picture")
    found["folder"] = (folder, "not a file")
    found["null"] = (Path("a\0b"), "no such picture")
    return found


@pytest.mark.parametrize(
    "name",
    ["truncated.png", "truncated.jpg", "header.png", "empty.png", "text.png", "vector.svg", "script.eps", "noise.jpg",
     "missing", "folder", "null"],
)  # fmt: skip
def test_bad_files_raise_with_path_and_remedy(tmp_path: Path, name: str) -> None:
    path, message = broken_files(tmp_path)[name]
    with pytest.raises(PictureError, match=message) as caught:
        open_picture(path)
    assert caught.value.where == str(path)
    assert caught.value.remedy


def test_too_many_bytes_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png")
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(PictureError, match="too large"):
        open_picture(path)


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for side in (9_000, 60_000):  # above our limit, and above Pillow's own
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        path = tmp_path / f"{side}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
        with pytest.raises(PictureError, match="pixels"):
            open_picture(path)


def test_pixels_are_what_the_tower_was_trained_on() -> None:
    pixels = to_pixels(Image.new("RGB", (30, 90), (255, 127, 0)))
    assert pixels.shape == (3, 256, 256)
    assert pixels.dtype == np.float32
    assert pixels[:, 0, 0] == pytest.approx([1.0, 0.0, -127 / 128])


@pytest.fixture(scope="module")
def tower():  # type: ignore[no-untyped-def]
    from lcbm_model.backbone.packaged import vision_file
    from lcbm_model.vision.efficientnet import load_tower

    return load_tower(vision_file())


def test_tower_shapes_and_number_types(tower) -> None:  # type: ignore[no-untyped-def]
    import torch

    with torch.inference_mode():
        seen = tower(torch.zeros(2, 3, 256, 256, dtype=torch.bfloat16)).last_hidden_state
    assert seen.shape == (2, tower.config.tokens, 1280)
    assert seen.dtype == torch.bfloat16


def test_tower_stays_frozen_in_float32(tower) -> None:  # type: ignore[no-untyped-def]
    import torch

    moved = tower.to(torch.bfloat16).train()
    assert moved.dtype == torch.float32
    assert not moved.training
    assert not any(p.requires_grad for p in moved.parameters())


def test_tower_tells_pictures_apart_and_knows_a_shade(tower) -> None:  # type: ignore[no-untyped-def]
    """The packaged weights are in place: a picture is closer to itself, darkened, than to another."""
    import torch
    from torch.nn.functional import cosine_similarity

    noise = np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    blocks = Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST)
    smooth = Image.linear_gradient("L").convert("RGB")
    darker = blocks.point(lambda v: int(v * 0.9))
    batch = torch.stack([torch.from_numpy(to_pixels(p)) for p in (blocks, darker, smooth)])
    with torch.inference_mode():
        means = tower(batch).last_hidden_state.mean(1)
    assert cosine_similarity(means[0], means[1], dim=0) > 0.9 > cosine_similarity(means[0], means[2], dim=0)


def test_untuned_connector_is_fixed_and_no_louder_than_words() -> None:
    import torch

    from lcbm_model.vision.connector import untuned_connector

    one, two = (untuned_connector(1280, 32, scale=0.1) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with torch.no_grad():
        assert float(one(torch.rand(64, 1280)).square().mean().sqrt()) == pytest.approx(0.1, rel=0.3)
