"""The command line: `lcbm COMMAND`. Exit code 0 only where a command did what it was asked; errors on one line.

0 done, 2 bad input, 3 a model or endpoint failed, 4 nothing to return, 130 interrupted (errors.py draws the tree).
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from optimizer.cli.lazy import Lazy, LazyGroup

COMMANDS: dict[str, Lazy] = {
    "optimize": Lazy("optimizer.cli.optimize", "Write candidates, simulate the audience, return the best."),
    "score": Lazy("optimizer.cli.score", "Predicted behaviour for every text of a file."),
    "compare": Lazy("optimizer.cli.compare", "Which of several texts does best, with probabilities."),
    "library": Lazy("optimizer.cli.library", "Build and search a library of your own past posts."),
    "campaign": Lazy("optimizer.cli.campaign", "Runs by name: list, show, compare, resume."),
    "outcomes": Lazy("optimizer.cli.outcomes", "What was published and what came of it; calibrate, teach the library."),
    "corpus": Lazy("optimizer.cli.corpus", "Build, describe and check the Content Behavior Corpus."),
    "evaluate": Lazy("optimizer.cli.evaluate", "Measure a model against plain baselines on held-out behaviour."),
    "train": Lazy("optimizer.cli.train", "Tune a model on behaviour by a recipe."),
    "model": Lazy("optimizer.cli.model", "Merge an adapter into plain weights; serve them with vLLM."),
    "cache": Lazy("optimizer.cli.cache", "What the score cache holds; empty it."),
    "results": Lazy("optimizer.cli.results", "Tables and plots of recorded evaluations."),
    "ui": Lazy("optimizer.cli.ui", "The app for content teams, on this machine only."),
}
"""Every command, in the order of `lcbm --help`."""


INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(argv: list[str] | None = None) -> None:
    """Run `lcbm` and leave with an exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    # Set before torch is loaded: threads that spin while they wait slow two runs on one machine down many times over.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Importing torch and transformers makes millions of objects that stay; looking through them took a seventh of it.
    gc.set_threshold(50_000, 20, 20)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run `lcbm` with arguments; returns the exit code and never a traceback for what a person can mend."""
    import typer

    from lcbm_model.errors import LcbmError
    from optimizer.cli.output import Interrupted, tell_error, tell_usage_error

    group = LazyGroup(
        COMMANDS, name="lcbm", help="Content optimisation with a simulated audience.", no_args_is_help=True
    )
    try:
        code = group.main(args=arguments, prog_name="lcbm", standalone_mode=False)
    except LcbmError as error:
        tell_error(str(error), arguments)
        return error.exit_code
    except _click_exception() as error:
        tell_usage_error(error, arguments)
        return int(error.exit_code)
    except Interrupted as error:
        tell_error(str(error), arguments)
        return INTERRUPTED
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:  # Typer makes an exit code of Ctrl-C
        tell_error("interrupted", arguments)
    return code if isinstance(code, int) else 0


def _click_exception() -> Any:
    """The root of usage errors. Typer carries its own copy of click, so it is found from a public class of Typer's."""
    import typer

    return next(parent for parent in typer.BadParameter.__mro__ if parent.__name__ == "ClickException")
