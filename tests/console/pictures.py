"""The pictures of the README: the browser in the terminal, the page of `report`, and the console, in light and dark."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import chdir
from pathlib import Path

from replay_proxy.cli.main import main as replay_proxy
from replay_proxy.journal.read.reader import read
from replay_proxy.reports.browser.app import Browser
from replay_proxy.reports.moments import model_at
from replay_proxy.reports.selection import Selection
from tests.console.story import go_on, play
from tests.support.chromium import Page, browser
from tests.support.processes import Proxy

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
LOOKS = (("light", False), ("dark", True))
READY = "document.documentElement?.dataset.ready"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
WIDTH, HEIGHT = 1280, 760


async def in_both(page: Page, name: str, width: int = WIDTH, height: int = HEIGHT) -> None:
    for look, dark in LOOKS:
        await page.look(width=width, height=height, dark=dark)
        await page.run(DRAWN)
        await page.picture(FOLDER / f"{name}-{look}.webp")


async def console(page: Page, proxy: Proxy) -> None:
    """The overview of a proxy that was restored and is at work."""
    await page.open(f"{proxy.url}/_replay/")
    await page.until(READY)
    go_on(proxy.url)
    await page.until("document.getElementById('main').innerText.includes('orders-dead')")
    await asyncio.sleep(1)
    await in_both(page, "console")


async def report(page: Page, recording: Path, scratch: Path) -> None:
    """A queue in the page of `report`: what made it, what changed it, what depends on it."""
    assert replay_proxy(["report", str(recording), "-o", str(scratch / "report.html")]) == 0
    await page.open(f"{(scratch / 'report.html').as_uri()}#/search/redrive%20orders")
    await page.until(READY)
    await page.until("document.querySelectorAll('.list .row').length > 2")
    await page.run("document.querySelectorAll('.list .row')[1].click()")
    await page.run(
        "location.hash = document.querySelector('.detail a[href^=\"#/graph/\"]').hash.replace('graph', 'resources')"
    )
    await page.until("document.querySelector('.split > .detail h2')?.textContent === 'orders'")
    await in_both(page, "report")


async def graph(page: Page) -> None:
    """The links of all resources, in the same page."""
    await page.run("location.hash = '#/graph'")
    await page.until("document.querySelector('svg .node')")
    await in_both(page, "graph", height=440)


async def terminal(page: Page, recording: Path, scratch: Path) -> None:
    """The browser in the terminal, with the same queue."""
    found = read(recording)
    for look, dark in LOOKS:
        app = Browser(found, model_at(found, ""), Selection())
        async with app.run_test(size=(124, 36)) as pilot:
            await pilot.pause()
            await pilot.press("/", *"orders", "enter")
            await pilot.pause()
            if not dark:
                await pilot.press("l")
                await pilot.pause()
            drawing = scratch / f"inspect-{look}.svg"
            drawing.write_text(app.export_screenshot(title="replay-proxy inspect"))
        await page.open(drawing.as_uri())
        await page.until("document.querySelector('svg')?.viewBox.baseVal.width")
        size = await page.run(
            "[document.querySelector('svg').viewBox.baseVal.width, document.querySelector('svg').viewBox.baseVal.height]"
        )
        await page.look(width=WIDTH, height=round(WIDTH * size[1] / size[0]), dark=dark)
        await page.run(DRAWN)
        await page.picture(FOLDER / f"inspect-{look}.webp")


async def make() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shop-") as folder:
        scratch = Path(folder)
        proxy = Proxy(scratch)
        try:
            play(proxy.url)
            proxy.kill_all()
            proxy.again()
            async with browser(scratch / "profile") as page:
                await page.look(width=WIDTH, height=HEIGHT)
                await console(page, proxy)
                with chdir(scratch):  # so that pictures have no path of this machine
                    await report(page, Path("recordings"), scratch)
                    await graph(page)
                    await terminal(page, Path("recordings"), scratch)
        finally:
            proxy.end()
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name}  {path.stat().st_size // 1024} KiB")


def main() -> None:
    asyncio.run(make())
