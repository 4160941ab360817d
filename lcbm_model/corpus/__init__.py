"""The Content Behavior Corpus: one reader a source, records, percentiles, pairs, and the checks of a built corpus."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Problem", "Problems", "Reader"],
        "build": ["Built", "Source", "build", "check", "plan"],
        "leaks": ["Leak", "LeakReport", "find_leaks"],
        "pairs": ["Pair", "arm_pairs", "context_pairs", "standing_z"],
        "record": ["Record", "Split"],
        "registry": ["get_reader", "reader_classes", "reader_names"],
        "shrinkage": ["decile_target"],
        "stats": ["describe", "plot"],
        "store": ["Manifest", "read_corpus", "read_manifest", "write_records"],
    },
)
