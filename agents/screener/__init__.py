"""The screener: reasons why a draft may not be used, checked by rule before any simulator call is spent.

`screener.py` puts the checks together; each check is one small file: `length`, `words`, `survival`, `invention`,
`rules`, `markup`. `facts`, `quantities`, `names` and `claims` find what can be checked to the
letter, `folding` compares words.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "screener": ["Screener"],
        "facts": ["Fact", "extract_facts"],
        "figures": ["figures", "left_out"],
        "quantities": ["Quantity", "extract_quantities"],
        "rules": ["CheckableRule", "parse_rules"],
        "markup": ["markup_reasons"],
    },
)

if TYPE_CHECKING:
    from agents.screener.facts import Fact as Fact
    from agents.screener.facts import extract_facts as extract_facts
    from agents.screener.figures import figures as figures
    from agents.screener.figures import left_out as left_out
    from agents.screener.markup import markup_reasons as markup_reasons
    from agents.screener.quantities import Quantity as Quantity
    from agents.screener.quantities import extract_quantities as extract_quantities
    from agents.screener.rules import CheckableRule as CheckableRule
    from agents.screener.rules import parse_rules as parse_rules
    from agents.screener.screener import Screener as Screener
