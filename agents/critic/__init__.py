"""The critic: in plain words, why the simulator prefers some drafts, for the next round's writers and for the report.

`critique` puts the parts together: what higher-scored drafts share (`contrast.py`), what carries the best one
(`parts.py`), what retrieved winners do and losers do not (`contrast.py`), and what the main metric costs in others
(`tradeoffs.py`). `why_preferred` sets two drafts side by side. Scores are a simulator's, and so are the words.
"""

from typing import TYPE_CHECKING

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "contrast": ["Finding"],
        "critique": ["critique"],
        "parts": ["contribution_lines", "why_preferred"],
        "tradeoffs": ["tradeoff_lines"],
    },
)

if TYPE_CHECKING:
    from agents.critic.contrast import Finding as Finding
    from agents.critic.critique import critique as critique
    from agents.critic.parts import contribution_lines as contribution_lines
    from agents.critic.parts import why_preferred as why_preferred
    from agents.critic.tradeoffs import tradeoff_lines as tradeoff_lines
