"""Chromium without a window, spoken to by its DevTools protocol: opens a page, runs expressions in it, makes pictures."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = "no Chromium is installed (Debian: apt-get install chromium)"


def chromium() -> str | None:
    """The program; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Page:
    """One page. events: what it said: messages of its console, exceptions, requests."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            found = message.json()
            if "id" in found:
                self._answers.pop(found["id"]).set_result(found)
            else:
                self.events.append(found)

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        found = await asyncio.wait_for(answer, 60)
        assert "error" not in found, found
        result: dict[str, Any] = found["result"]
        return result

    async def run(self, expression: str) -> Any:
        """The value of an expression; promises are awaited."""
        found = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        try:
            async with asyncio.timeout(seconds):
                while not await self.run(f"Boolean({condition})"):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            shown = await self.run("location.href + ': ' + document.body.innerText.slice(0, 2000)")
            raise AssertionError(f"not in {seconds:g} s: {condition}; shown is {shown}") from None

    async def open(self, address: str) -> None:
        await self.send("Page.navigate", url=address)

    async def type(self, text: str) -> None:
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, code: int = 0) -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)

    async def look(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Set the size of the window, and whether the system is dark."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """Write what the window shows, as PNG or, by the name of the file, as WebP."""
        kind = {"format": "webp", "quality": 82} if path.suffix == ".webp" else {"format": "png"}
        found = await self.send("Page.captureScreenshot", **kind)
        path.write_bytes(base64.b64decode(found["data"]))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A browser with one page. folder: for its profile."""
    program = chromium()
    assert program is not None, MISSING
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    words += ["--no-first-run", "--disable-background-networking", "--hide-scrollbars", f"--user-data-dir={folder}"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(program, *words, "about:blank", stdout=quiet, stderr=quiet)
    try:
        port = folder / "DevToolsActivePort"
        async with asyncio.timeout(60):
            while not port.exists() or "\n" not in port.read_text():
                await asyncio.sleep(0.05)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}/json"
        async with aiohttp.ClientSession() as session:
            async with session.get(address) as answer:
                targets = await answer.json(content_type=None)
            (target,) = [each for each in targets if each["type"] == "page"][:1]
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                page = Page(socket)
                for domain in ("Page", "Runtime", "Log", "Network"):
                    await page.send(f"{domain}.enable")
                try:
                    yield page
                finally:
                    page.listening.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
