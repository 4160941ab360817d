"""Settings of a training run, grouped by concern. `recipes.py` reads and checks them.

Plain dataclasses, so that the fitting stage runs on a machine that has only torch, transformers, peft and
accelerate; where pydantic is present (every ordinary install) it validates them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

WORDS = ("text", "instructions")
"""Sources whose examples are answers in words."""


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """What is tuned."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str = "embedded"
    """`embedded` (SmolLM2-135M + EfficientNet-Lite0), a local folder, or a hub name."""
    architecture: Literal["smol", "causal", "llava", "qwen_vl"] = "smol"
    """`smol`: our assembly that sees; `causal`: any text-only model with Llama's layout, pictures are left out;
    `llava` (LLaVA 1.5) and `qwen_vl` (Qwen2-VL, Qwen2.5-VL): models with eyes of their own."""


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Which records become examples, and how many."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    folder: str | None = None
    """Folder of the development data; None: `LCBM_DATA`, else `../shared/data` beside the checkout."""
    sources: tuple[str, ...] = ("upworthy", "caption_contest", "facebook", "reddit", "oasis")
    table: str | None = None
    """A team's own CSV / JSONL / Parquet, read as the source `table`."""
    instructions: str | None = None
    """Plain instruction data, Parquet or JSONL with `instruction` and `answer`; `instructions` in `run.mix`."""
    max_records: dict[str, int] = field(default_factory=dict)
    """Training records kept per source: whole experiments, and evenly over the groups of ranked sources."""
    metrics: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Metrics kept per source; all where unnamed."""
    picture_share: float = 0.25
    """Share of the groups with pictures AND texts that are shown with the pictures (the rest: text alone)."""
    context_examples: int = 0
    """Known results of the same group shown in the prompt (0: none)."""
    text_examples: int = 12000
    """Training examples of `text_tasks`, all together; a twentieth as many of the validation split."""
    text_tasks: tuple[str, ...] = (
        "content_write",
        "content_rewrite",
        "behavior_which",
        "understand_clickbait",
        "understand_affect",
    )
    """Tasks whose answers are words, drawn in equal parts as far as each goes."""
    max_held: int = 8000
    """Records kept per source in validation and in test."""
    max_length: int = 512
    """Longest example in tokens; longer ones are left out, so no picture is ever cut."""


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Low-rank adapters on the language tower."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    first_layer: int = 0
    """Layers below are frozen and run without gradients."""
    last_layer: int | None = None
    """Layers from here on carry no adapter (None: all do)."""


@dataclass(frozen=True, kw_only=True)
class ReadoutSettings:
    """The value head: one linear map per metric over pooled states of the candidate's own tokens, perhaps a kernel."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    layers: tuple[int, ...] = (16,)
    """Blocks after which the mean state is read (1 = after the first block)."""
    last_layers: tuple[int, ...] = ()
    """Blocks after which the state of the last pooled token is read too."""
    pooling: Literal["words", "own"] = "words"
    """Tokens that are pooled: the candidate's words, or everything after the shared part."""
    picture: bool = True
    """Also read the mean of the vision tower's own features (zeros without a picture)."""
    init: Literal["zero", "probe"] = "probe"
    """`probe`: start from a pairwise logistic fit on the untuned states."""
    probe_rows: int = 20000
    """Training rows behind each probe."""
    probe_rows_of: dict[str, int] = field(default_factory=dict)
    """The same for single metrics, where they differ."""
    probe_l2: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0)
    """Ridge penalties tried for the closing probe, where validation and training rows out of fold choose; the opening
    one takes the second last. Empty: no closing probe (and `init: zero`)."""
    probe_group: int = 48
    """Rows of one comparison that are paired with each other, in larger ones by turns."""
    probe_least_z: float = 1.0
    """Pairs that differ by fewer standard errors teach a probe nothing and are left out."""
    kernel: int = 0
    """Landmarks of a Gaussian kernel that joins the closing probe on frozen states; 0: the probe is linear alone."""
    kernel_rank: int = 128
    """Principal directions of the states that the kernel sees."""
    kernel_width: float = 0.7
    """Of the kernel, beside rows of mean squared length 1."""

    @property
    def highest(self) -> int:
        """The highest block that is read; 0 where none is."""
        return max((*self.layers, *self.last_layers), default=0)


@dataclass(frozen=True, kw_only=True)
class TextEncoderSettings:
    """A small sentence encoder that reads the candidate's words beside the language model (`text_tower`)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rank: int = 0
    """Of its low-rank updates; 0: no such encoder."""
    alpha: int = 32
    reads: Literal["words", "card"] = "words"
    """The candidate's words alone, or `verbalize.card`: its format and title before them, which decide much."""
    max_tokens: int = 64
    """Tokens read of a text, cut behind."""
    steps: int = 1000
    lr: float = 3e-4
    head_lr: float = 3e-3
    tokens_per_step: int = 4096
    """The encoder's own tokens."""
    group_size: int = 32
    """Candidates of one comparison that are seen together."""
    mix: dict[str, float] = field(default_factory=dict)
    """Share of each step's tokens per source; empty: those of `run.mix` that have comparisons."""
    eval_every: int = 100
    cross_fit: bool = False
    """Also tune one on either half of the groups: training rows, scored by the other half's, then join and calibrate
    the read-out beside validation. Twice the time; for heads on frozen states."""
    distil_steps: int = 0
    """Further steps, at half of `lr`, in which the encoder learns the mean of what it and both halves' encoders say
    (`distil_text`); 0: none. Needs `cross_fit`."""


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """Weights of the loss terms; 0 switches a term off."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    bins: float = 1.0
    """Cross-entropy on soft bins at the read-out position."""
    pairs: float = 1.0
    """Bradley-Terry on the value head's utilities."""
    pairs_bins: float = 0.5
    """Bradley-Terry on the expected bin of the language-model read-out."""
    value: float = 0.1
    """Squared error of the expected percentile (0..1)."""
    text: float = 0.3
    """Cross-entropy on the target tokens of text examples."""
    most_reliable: float = 0.95
    """Soft bins never trust a rank more than this (0..1): label smoothing along the scale."""


@dataclass(frozen=True, kw_only=True)
class OptimSettings:
    """Steps, rates and batches."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    steps: int = 600
    lr: float = 2e-4
    head_lr: float = 5e-4
    connector_lr: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.05
    """Share of the steps."""
    clip: float = 1.0
    ema: float = 0.0
    """Decay of the averaged weights that are evaluated and saved (0: the last ones)."""
    tokens_per_step: int = 16384
    micro_tokens: int = 32768
    """Padded tokens of one forward pass: lower it where memory runs out."""
    group_size: int = 8
    """Arms of one comparison that are seen together."""
    share_prefix: bool = False
    """Encode what the rows of one forward pass begin with in common only once: about twice as fast on a CPU."""
    cache_states: bool = False
    """Keep the states below `lora.first_layer` on disk (float16) and run the layers above only."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Everything about the run itself."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    name: str = "run"
    seed: int = 0
    mix: dict[str, float] = field(
        default_factory=lambda: {
            "upworthy": 1.0,
            "caption_contest": 1.0,
            "facebook": 1.0,
            "reddit": 0.5,
            "oasis": 0.5,
            "text": 0.5,
        }
    )
    """Share of each step's tokens per source."""
    half: Literal["all", "a", "b"] = "all"
    """Disjoint halves of the training groups, for twin models."""
    fraction: float = 1.0
    """Share of the training groups used."""
    shuffled: bool = False
    """A control: outcomes change places inside their comparison group, so that texts stay and behaviour goes."""
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = None
    """Of the processor; None: as torch finds it."""
    eval_every: int = 100
    eval_rows: int = 3000
    """Validation rows per source and metric during training; the closing evaluation takes all."""
    final_rows: int = 8000
    """Rows per source, metric and split in the closing evaluation."""
    final_precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of the closing evaluation. On a processor with bfloat16 units `bf16` takes a third of the time."""
    patience: int = 4
    """Evaluations without a better validation figure before the run stops."""
    select_on: dict[str, float] = field(default_factory=dict)
    """Weights of the sources, and of answers in words as `text`, in the validation figure that chooses the best step
    (empty: all equal). A text encoder is chosen by those it learns from."""
    save_every: int = 100
    """Steps between saved states (0: none, the run cannot be resumed)."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe, as a YAML file states it."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    base: BaseSettings = field(default_factory=BaseSettings)
    data: DataSettings = field(default_factory=DataSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)
    readout: ReadoutSettings = field(default_factory=ReadoutSettings)
    text_encoder: TextEncoderSettings = field(default_factory=TextEncoderSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    run: RunSettings = field(default_factory=RunSettings)

    def probe_rows(self, metric: str) -> int:
        """Training rows behind a metric's probe, at most."""
        return self.readout.probe_rows_of.get(metric, self.readout.probe_rows)

    @property
    def heads_only(self) -> bool:
        """Whether nothing of the language tower is tuned: heads are fitted on frozen states."""
        return self.lora.rank == 0 or self.optim.steps == 0

    @property
    def reads_frozen(self) -> bool:
        """Whether heads read states that nothing tunes: no adapter at all, or all above the blocks that are read."""
        return self.heads_only or self.lora.first_layer >= self.readout.highest

    @property
    def texts_only(self) -> bool:
        """Whether the steps see answers in words alone, so that heads learn nothing from them."""
        return all(source in WORDS for source, share in self.run.mix.items() if share > 0)

    @property
    def learns_nothing(self) -> bool:
        """Whether the steps see rows that no term of the loss learns from."""
        loss = self.loss
        behavior = max(loss.bins, loss.pairs, loss.pairs_bins, loss.value)
        return behavior == 0 and (not self.texts_only or loss.text == 0)

    @property
    def scores_stay(self) -> bool:
        """Whether no step touches heads or what they read."""
        return self.reads_frozen and self.texts_only

    @property
    def digits(self) -> bool:
        """Whether the answered digit is trained. If not, no pass goes beyond the pooled blocks, except for texts."""
        return not self.heads_only and max(self.loss.bins, self.loss.value, self.loss.pairs_bins) > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return dataclasses.asdict(self)
