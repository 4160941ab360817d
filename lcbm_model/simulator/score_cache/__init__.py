"""Scores kept between runs: a `Simulator` around a `Simulator`, with one SQLite file under it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cached": ["CachedSimulator"],
        "settings": ["cache_file", "open_store", "scoring_anew", "with_score_cache"],
        "statistics": ["CacheStatistics", "CheckpointStatistics"],
        "store": ["ScoreStore"],
    },
)
