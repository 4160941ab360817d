"""`lcbm cache stats | clear`: the scores that are kept between runs."""

from __future__ import annotations

import typer

from optimizer.cli.output import Json, err, out, plain, print_json

app = typer.Typer(help="The scores that are kept between runs, and what they saved.", no_args_is_help=True)

OFF = "The score cache is off (LCBM_SCORE_CACHE)."


@app.command()
def stats(as_json: Json = False) -> None:
    """Entries, size, checkpoints and hits."""
    from lcbm_model.simulator.score_cache import CacheStatistics, cache_file, open_store

    path = cache_file()
    store = open_store(path) if path is not None else None
    found = store.statistics() if store is not None else CacheStatistics(path=None)
    if as_json:
        limit = store.max_bytes if store is not None else None
        print_json({"on": store is not None, **found.model_dump(mode="json"), "max_bytes": limit})
        return
    if store is None:
        out().print(OFF)
        return
    from rich.table import Table

    size = f"{found.bytes / 2**20:.1f} of {store.max_bytes / 2**20:.0f} MB"
    out().print(f"{found.entries} scores, {size}, in {plain(str(path))}", soft_wrap=True)
    if not found.checkpoints:
        return
    table = Table("simulator", "checkpoint")
    for heading in ("scores", "read", "made"):
        table.add_column(heading, justify="right")
    for one in found.checkpoints:
        figures = (str(one.entries), str(one.hits), str(one.misses))
        table.add_row(plain(one.label), plain(one.checkpoint_hash[:12]), *figures)
    out().print(table)


@app.command()
def clear(as_json: Json = False) -> None:
    """Drop every kept score, of every checkpoint."""
    from lcbm_model.errors import SettingsError
    from lcbm_model.simulator.score_cache import cache_file, open_store

    path = cache_file()
    if path is None:
        if as_json:
            print_json({"path": None, "dropped": 0})
        else:
            err().print(OFF)
        return
    store = open_store(path)
    dropped = store.clear()
    if store.out_of_use is not None:
        raise SettingsError("score cache", f"cannot be emptied: {store.out_of_use}", value=str(path))
    if as_json:
        print_json({"path": str(path), "dropped": dropped})
    else:
        out().print(f"Dropped {dropped} scores from {plain(str(path))}", soft_wrap=True)
