"""The flat API is there, and light until something heavy is asked for."""

from __future__ import annotations

import subprocess
import sys


def test_the_flat_api_is_light() -> None:
    code = """
import sys, agents
assert {"Library", "Post", "Hit", "Retriever", "Embedder", "Writer", "Screener"} <= set(agents.__all__)
from agents import Embedder, Hit, Library, Post, RejectedRow, Retriever, Writer, load_embedder
heavy = {"torch", "faiss", "polars", "scipy", "sentence_transformers", "transformers"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
