"""Write `english.txt` and `names.txt` of `agents/screener`.

    python benchmarks/english_words.py

Ordinary English words are told from names by how SmolLM2's tokenizer merges them. A byte-pair tokenizer merges
frequent strings first. A word whose small-letter form has a token, earlier than its capitalised form, is met more
often small: "copper", not "Maria". Forms that an ending makes of a listed word are left
out; `agents.screener.english.ordinary` finds them by that word.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from agents.screener.english import bases
from lcbm_model.backbone import load_backbone

OUT = Path(__file__).resolve().parent.parent / "agents" / "screener"


def main() -> None:
    vocabulary = load_backbone().tokenizer.get_vocab()
    small = {t[1:]: i for t, i in vocabulary.items() if re.fullmatch("Ġ[a-z]{3,}", t)}
    capital = {t[1:].lower(): i for t, i in vocabulary.items() if re.fullmatch("Ġ[A-Z][a-z]{2,}", t)}
    ordinary = {word for word, rank in small.items() if rank < capital.get(word, rank + 1)}
    kept = sorted(w for w in ordinary if not any(len(b) >= 3 and b in ordinary for b in bases(w)))
    names = sorted(word.capitalize() for word, rank in capital.items() if rank <= small.get(word, rank))
    for file, words in (("english.txt", kept), ("names.txt", names)):
        (OUT / file).write_text("\n".join(textwrap.wrap(" ".join(words), 118)) + "\n", encoding="utf-8")
        print(f"{file}: {len(words)} words")


if __name__ == "__main__":
    main()
