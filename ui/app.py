"""The app: its tabs over one `Services`, and the one place where it begins to listen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from lcbm_model.errors import SettingsError
from lcbm_model.vision.video import frames_folder
from ui.auth import check_exposure, read_auth_file
from ui.theme import CSS, theme
from ui.uploads import MAX_BYTES

if TYPE_CHECKING:
    from ui.services import Services

TITLE = "LCBM: better content, honestly measured"
HEADER = """<header class="lc-brand"><span class="lc-logo" aria-hidden="true"><i></i><i></i><i></i></span>
<div><h1>LCBM</h1><p>Write, predict, choose. Before you publish.</p></div></header>"""
TOGGLE_THEME = """() => {
  const dark = document.body.classList.toggle('dark');
  localStorage.setItem('lcbm-shade', dark ? 'dark' : 'light');
}"""
ARRIVED = """() => {
  const shade = localStorage.getItem('lcbm-shade');
  if (shade) document.body.classList.toggle('dark', shade === 'dark');
  document.documentElement.lang = 'en';
  document.addEventListener('click', (event) => {
    const pressed = event.target.closest('[data-do="copy"]');
    if (!pressed || pressed.closest('#run-cards')) return;
    navigator.clipboard.writeText(pressed.closest('[data-text]').dataset.text).then(
      () => { pressed.textContent = 'Copied'; },
      () => { pressed.textContent = 'Select it by hand'; });
    setTimeout(() => { pressed.textContent = 'Copy'; }, 1600);
  });
}"""
"""Once in each page: the shade chosen last time, and the copy buttons of cards that no run stands behind any more."""
HEAD = '<meta name="referrer" content="no-referrer">'


def build(services: Services) -> gr.Blocks:
    """The page, wired to `services`; the models begin to load as soon as the first visitor comes."""
    from ui.api import mount_api
    from ui.campaigns_service import CampaignsService
    from ui.campaigns_tab import CampaignsTab
    from ui.library_tab import LibraryTab
    from ui.optimize_tab import OptimizeTab
    from ui.own_ranges import OwnRanges
    from ui.render import status_pill
    from ui.research_tab import ResearchTab
    from ui.score_tab import ScoreTab

    campaigns = CampaignsService(services)
    services.at_close(campaigns.close)
    own = OwnRanges(campaigns)
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 24 * 3600), fill_width=True) as page:
        with gr.Row(elem_classes="lc-header", equal_height=True):
            gr.HTML(HEADER)
            pill = gr.HTML(status_pill(services.loading), elem_id="model-status")
            shade = gr.Button("Light / dark", size="sm", scale=0, min_width=110, elem_id="theme-toggle")
        with gr.Tabs(elem_classes="lc-tabs"):
            with gr.Tab("Optimise", id="optimise"):
                optimise = OptimizeTab(services)
            with gr.Tab("Score & compare", id="score"):
                ScoreTab(services)
            with gr.Tab("Library", id="library"):
                LibraryTab(services, optimise.library)
            with gr.Tab("Campaigns", id="campaigns"):
                CampaignsTab(services, campaigns)
            with gr.Tab("Researchers", id="research"):
                research = ResearchTab(services, own)
        clock = gr.Timer(1.0)

        def look() -> list[Any]:
            loading = services.loading
            still = loading.phase in ("waiting", "loading")
            return [status_pill(loading), gr.skip() if still else research.refresh(), gr.Timer(active=still)]

        def arrive() -> list[Any]:
            services.start()
            return look()

        def leave(request: gr.Request) -> None:
            services.leave(request.session_hash or "")

        light: dict[str, Any] = {
            "api_visibility": "private",
            "show_progress": "hidden",
            "concurrency_id": "light",
            "concurrency_limit": 32,
        }
        page.load(arrive, None, [pill, research.html, clock], **light)
        page.load(None, None, None, js=ARRIVED, api_visibility="private")
        clock.tick(look, None, [pill, research.html, clock], **light)
        shade.click(None, None, None, js=TOGGLE_THEME, api_visibility="private")
        page.unload(leave)
        optimise.welcome(page)
        mount_api(services, own)
    page.queue(max_size=256, api_open=False)
    return page


def launch(
    host: str = "127.0.0.1",
    port: int = 7860,
    auth_file: str | Path | None = None,
    root_path: str | None = None,
    *,
    allow_open: bool = False,
    services: Services | None = None,
    auth_dependency: Callable[..., str | None] | None = None,
    block: bool = True,
    quiet: bool = False,
) -> Any:
    """Serve the app until Ctrl-C.

    Args:
        host: Address to listen on; anything but loopback needs a guard or `allow_open`.
        port: TCP port; 0 takes a free one.
        auth_file: Lines of `name:password` (or `name:scrypt$SALT$HASH`); shows a login page.
        root_path: Public path behind a reverse proxy, such as "/lcbm".
        allow_open: The user said in words that everyone on the network may come in.
        services: What stands behind the page; by default the real models, loaded in the background, with runs kept
            in `LCBM_RUNS` (else ./runs).
        auth_dependency: Gradio's hook for single sign-on: a FastAPI dependency that returns the user's name or None.
        block: False returns as soon as it listens (tests); the value is then `(page, url)`.
        quiet: No start-up line.

    Raises:
        SettingsError: The address is open to a network without a guard, a file is wrong, or the port is taken.
    """
    check_exposure(host, guarded=auth_file is not None or auth_dependency is not None, allow_open=allow_open)
    auth = read_auth_file(auth_file) if auth_file else None
    own = services is None
    if services is None:
        from optimizer.loop.folder import store_folder
        from ui.floors import real_floors
        from ui.services import Services as Made

        services = Made(real_floors(), store=store_folder(None).absolute())
    from ui.retention import Sweeper

    try:
        page, url = _in_a_loop(
            lambda: _listen(
                services,
                server_name=host,
                server_port=port or _free_port(),
                auth=auth,
                auth_dependency=auth_dependency,
                root_path=root_path,
            )
        )
    except OSError as error:
        services.close()
        raise SettingsError("--port", f"cannot be used: {error}", value=port, remedy="Choose another port") from error
    except KeyboardInterrupt:  # before it listened
        services.close()
        raise
    if not block:
        return page, url
    swept = [services.scratch / name for name in ("uploads", "files", "outcomes")]
    sweeper = Sweeper([*swept, frames_folder()])
    sweeper.start()
    if not quiet:
        print(f"The app is at {url}  (Ctrl-C ends it)", flush=True)
    try:
        page.block_thread()
    finally:
        sweeper.stop()
        if own:
            services.close()
    return None


def _listen(services: Services, **door: Any) -> tuple[gr.Blocks, str]:
    """Build the page and begin to listen; `door` says where, and who may come in."""
    from ui.health import add_health
    from ui.tabs_style import TABS_CSS

    page = build(services)
    services.start()
    app, url, _ = page.launch(
        **door,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        inbrowser=False,
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        strict_cors=True,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        show_error=False,
        footer_links=[],
        state_session_capacity=2000,
        theme=theme(),
        css_paths=[*CSS, TABS_CSS],
        head=HEAD,
    )
    add_health(app, services)
    return page, url


def _in_a_loop(act: Callable[[], tuple[gr.Blocks, str]]) -> tuple[gr.Blocks, str]:
    """What `act` gives, called inside a running event loop: where none runs, Gradio makes one for each of its locks and
    closes none of them."""

    async def inside() -> tuple[gr.Blocks, str]:
        return act()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(inside())
    return act()


def _free_port() -> int:
    """A TCP port that nobody listens on. The system hands out another each time, so that two apps starting in the same
    moment do not meet, as they do when both count upwards from Gradio's own first port."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
