"""`lcbm model`: adapters joined, merged into plain weights, and served by vLLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optimizer.cli.output import Json, only_results_on_stdout, out, plain, print_json, progress

app = typer.Typer(no_args_is_help=True)


@app.command()
def merge(
    model: Annotated[str, typer.Argument(help="An adapter folder, a shipped checkpoint's name, 'embedded', ...")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write; must be new or empty.")],
    dtype: Annotated[str, typer.Option("--dtype", help="float32, bfloat16 or float16.")] = "float32",
    writing_only: Annotated[
        bool, typer.Option("--writing-only", help="Merge a model whose digits were never tuned: to write with.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Merge an adapter into its base: one plain Hugging Face folder that vLLM and transformers load."""
    from lcbm_model.serving import merge_checkpoint

    with progress("Merging"), only_results_on_stdout():
        merged = merge_checkpoint(model, out_dir, dtype=dtype, writing_only=writing_only)
    stamp = merged.stamp
    if as_json:
        print_json({"folder": str(merged.folder), "bytes": merged.bytes, **stamp.model_dump(mode="json")})
        return
    out().print(plain(f"{stamp.name} merged into {merged.folder} ({merged.bytes / 2**20:,.0f} MiB, {stamp.dtype})"))
    use = "scores and writes" if stamp.scores else "writes; its digits mean nothing, so it cannot score"
    out().print(plain(f"Served, it {use}: lcbm model serve {merged.folder}"))
    for lost in stamp.lost:
        typer.echo(plain(f"Left behind: {lost}"), err=True)


@app.command()
def combine(
    models: Annotated[list[str], typer.Argument(help="Adapter folders or shipped checkpoints' names, two or more.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder to write; must be new or empty.")],
    name: Annotated[str, typer.Option("--name", help="Of the new checkpoint.")] = "combined",
    as_json: Json = False,
) -> None:
    """Join adapters of one base: the metrics of the first, and of the others those that are still missing."""
    from lcbm_model.backbone.loader import adapter_folder
    from lcbm_model.serving.combine import combine_adapters

    with progress("Joining"), only_results_on_stdout():
        spec = combine_adapters([adapter_folder(model) for model in models], out_dir, name=name)
    parts = {part["name"]: part["metrics"] for part in spec.training["parts"]}
    if as_json:
        print_json({"folder": str(out_dir), "name": spec.name, "metrics": list(spec.metrics), "parts": parts})
        return
    out().print(plain(f"{spec.name} in {out_dir}: score with --model {out_dir}"))
    for part, metrics in parts.items():
        out().print(plain(f"  {part}: {', '.join(metrics)}"))


@app.command()
def serve(
    model: Annotated[
        str, typer.Argument(help="A merged folder, any checkpoint, or an adapter (LoRA beside its base).")
    ],
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option("--port", help="[default: 8000]")] = None,
    tensor_parallel: Annotated[
        int | None, typer.Option("--tensor-parallel", help="GPUs that share one copy of the weights.  [default: 1]")
    ] = None,
    data_parallel: Annotated[
        int | None, typer.Option("--data-parallel", help="Copies of the weights.  [default: 1]")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="auto, float32, bfloat16, float16.  [default: auto]")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Longest prompt with its answer.  [default: the model's]")
    ] = None,
    max_prompts: Annotated[int | None, typer.Option("--max-prompts", help="Prompts under way at once.")] = None,
    gpu_memory: Annotated[
        float | None, typer.Option("--gpu-memory", help="Share of each GPU's memory.  [default: 0.9]")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu or gpu.  [default: auto]")] = None,
    cpu_cache: Annotated[int | None, typer.Option("--cpu-cache", help="GiB of cache on a processor.")] = None,
    cpu_cores: Annotated[str | None, typer.Option("--cpu-cores", help="Cores to stay on: 0-7.")] = None,
    lora: Annotated[list[str] | None, typer.Option("--lora", help="A further adapter of the same base.")] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="Interpreter with vllm; else LCBM_VLLM_PYTHON, else this one.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Option("--extra", help="A further argument of vLLM, as it is.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "--print", help="Print the command and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Serve a checkpoint with vLLM (OpenAI-compatible). Score with it by --model vllm:NAME@URL."""
    from lcbm_model.serving import ServeSettings, serve_command
    from lcbm_model.serving.command import run_command

    settings = ServeSettings.of(
        host=host, port=port, tensor_parallel=tensor_parallel, data_parallel=data_parallel, dtype=dtype,
        max_tokens=max_tokens, max_prompts=max_prompts, gpu_memory=gpu_memory, device=device, cpu_cache=cpu_cache,
        cpu_cores=cpu_cores, lora=tuple(lora or ()), python=python, extra=tuple(extra or ()),
    )  # fmt: skip
    with only_results_on_stdout():
        command = serve_command(model, settings)
    for note in command.notes:
        typer.echo(plain(f"Note: {note}"), err=True)
    if dry_run:
        if as_json:
            print_json(
                {"command": list(command.arguments), "environment": command.environment, "notes": list(command.notes),
                 "models": list(command.models), "base_url": command.base_url}
            )  # fmt: skip
        else:
            typer.echo(plain(str(command)))
        return
    typer.echo(plain(str(command)), err=True)
    typer.echo(plain(f"Once it is up, score with it: --model 'vllm:{model}@{command.base_url}'"), err=True)
    run_command(command)
