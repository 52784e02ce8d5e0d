"""The console in a browser: it follows what happens, by keyboard too, asks before it acts, and nothing hostile does anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.console.story import play
from tests.reports.test_report import HOSTILE
from tests.support.axe import complaints_of_axe, missing_axe
from tests.support.chromium import MISSING, Page, browser, chromium
from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = [pytest.mark.emulator, pytest.mark.skipif(chromium() is None, reason=MISSING)]

READY = "document.documentElement?.dataset.ready"
TEXT = "document.getElementById('main').innerText"
CHIP = "document.getElementById('chip').textContent"
DIALOG = "document.querySelector('dialog[open]')"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
LOOKS = (("light", 1280, False), ("dark", 1280, True), ("narrow", 400, False))
PICTURES = os.environ.get("REPLAY_PICTURES", "")
"""A folder in which the pictures stay."""
TOKEN = "open-sésame"


async def click(page: Page, text: str, within: str = "document") -> None:
    """Click the button that says so."""
    found = f"[...{within}.querySelectorAll('button')].find((each) => each.textContent.startsWith({text!r}))"
    await page.until(found)
    await page.run(f"{found}.click()")


def complaints(page: Page, url: str) -> list[object]:
    """Exceptions, messages in the console, dialogues of the browser's own, and whatever was asked of anybody else."""
    return [
        each
        for each in page.events
        if each["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening")
        # What the network says is meant: a token that is refused, a proxy that is away.
        or (each["method"] == "Log.entryAdded" and each["params"]["entry"]["source"] != "network")
        or (
            each["method"] == "Network.requestWillBeSent"
            and not each["params"]["request"]["url"].startswith((url, "data:", "about:"))
        )
    ]


async def log_in(page: Page, address: str) -> None:
    """Open the console; the first token is a wrong one."""
    await page.open(address)
    for token in ("wrong", TOKEN):
        await page.until(f"{DIALOG}?.querySelector('#token')?.value === ''")
        assert await page.run("document.activeElement.id") == "token"
        await page.type(token)
        await page.press("Enter", 13)
        await page.until(f"{READY} || {DIALOG}?.innerText.includes('not the control token')")
    await page.until(READY)
    assert TOKEN not in await page.run(
        "location.href + JSON.stringify([localStorage, sessionStorage, document.cookie])"
    )


async def test_the_console_follows_what_happens(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    proxy = start_proxy(environment={"REPLAY_CONTROL_TOKEN": TOKEN})
    pictures = Path(PICTURES or tmp_path)
    async with browser(tmp_path / "profile") as page:
        await page.look()
        await log_in(page, f"{proxy.url}/_replay/")
        assert "No request has passed" in await page.run(TEXT)

        # Calls and resources appear as they come.
        orders = play(proxy.url)
        await page.until(f"{TEXT}.includes('SendMessage') && /^1[0-9]\\nresources/.test({TEXT})")
        assert "Every change that passed since the start is in the recording" in await page.run(TEXT)

        # Live: filter, pause, what became of a request.
        await page.press("2", 50)
        await page.until("document.querySelector('.list .row')")
        await page.run("document.querySelector('.tools input[type=search]').focus()")
        await page.type("nosuchkey")
        await page.until("document.querySelectorAll('.list .row').length === 1")
        await page.run("document.querySelector('.list').focus()")
        for key, code in (("Home", 36), ("Enter", 13)):
            await page.press(key, code)
        await page.until("document.querySelector('.detail h2')?.textContent === 's3 GetObject'")
        assert "It changes nothing, so it is not recorded" in await page.run(TEXT)
        await page.run("document.querySelector('.tools input[type=search]').value = ''")
        await page.run("document.querySelector('.tools input[type=search]').dispatchEvent(new Event('input'))")
        await click(page, "Pause")
        first = "[...document.querySelectorAll('.list .row:first-child :is(.time, .ms)')].map((each) => each.textContent).join()"
        before = await page.run(first)
        client("sqs", proxy.url).send_message(QueueUrl=orders, MessageBody="while paused")
        await page.until("/paused, [1-9] newer/.test(document.querySelector('.count').textContent)")
        assert await page.run(first) == before
        await click(page, "Go on")
        await page.until(f"{first} !== {before!r}")

        # From a search to the queue, and what it depends on; it changes while one looks at it.
        await page.press("/", 191)
        await page.type("deadletter orders")
        await page.until("document.querySelector('.list .row.head')")
        for key, code in (("ArrowDown", 40), ("ArrowDown", 40), ("ArrowDown", 40), ("Enter", 13)):
            await page.press(key, code)
        await page.until("document.querySelector('.detail h2')?.textContent === 'orders'")
        await page.run("document.querySelector('.detail a[href^=\"#/calls/\"]').click()")
        await page.until("document.querySelector('.detail pre')?.innerText.includes('aws sqs create-queue')")
        await page.run("location.hash = '#/resources/2'")
        await page.until(f"{TEXT}.includes('2 messages')")
        client("sqs", proxy.url).tag_queue(QueueUrl=orders, Tags={"hostile": HOSTILE, "__proto__": "x"})
        await page.until(f"{TEXT}.includes('hostile: ')")
        assert await page.run("document.querySelectorAll('img, iframe, object, main script').length") == 0
        assert "\\u{202e}evil\\u{2066}" in await page.run(TEXT)
        client("sqs", proxy.url).untag_queue(QueueUrl=orders, TagKeys=["hostile", "__proto__"])
        await page.until(f"!{TEXT}.includes('hostile: ')")

        # Nothing is done without consent.
        await page.run("location.hash = '#/overview'")
        await click(page, "Reset")
        assert "forgets everything" in await page.run(f"{DIALOG}.innerText")
        assert await page.run("document.activeElement.textContent") == "Cancel"
        await page.press("Escape", 27)
        await page.until(f"!{DIALOG}")
        await click(page, "Save")
        await click(page, "Save", DIALOG)
        await page.until(f"{DIALOG}.innerText.includes('Save: done')")
        assert await page.run(f"{DIALOG}.querySelectorAll('li').length") >= 5
        await page.press("Escape", 27)

        # Pods: one is saved, shown, and removed again.
        await page.press("9", 57)
        await page.until(f"{TEXT}.includes('There is no pod yet')")
        await click(page, "Save the state")
        assert await page.run("document.activeElement.id") == "pod-name"
        await page.type("shop")
        await click(page, "Save", DIALOG)
        await page.until(f"{DIALOG}.innerText.includes('Save: done')")
        await page.press("Escape", 27)
        await page.until("document.querySelector('.list .row')")
        await page.run("document.querySelector('.list .row').click()")
        await page.until("document.querySelector('.detail table tbody tr')")
        await page.picture(pictures / "console-pods.png")
        if missing_axe() is None:
            assert await complaints_of_axe(page) == []
        await click(page, "Remove")
        await click(page, "Remove", DIALOG)
        await page.until(f"{TEXT}.includes('There is no pod yet')")
        await page.press("Escape", 27)

        # The doctor: nothing was examined yet, and then everything.
        await page.run("location.hash = '#/doctor'")
        await page.until(f"{TEXT}.includes('do its links hold?')")
        await click(page, "Examine now")
        await page.until(f"/of [1-9][0-9]* resources there/.test({TEXT})")
        await page.run("document.querySelector('.list .row').click()")
        await page.until("document.querySelector('.detail h2')?.textContent.startsWith('AWS::')")

        # Emulator and proxy are gone, and come back: so does the page, with the restore and the aliases.
        await page.run("location.hash = '#/overview'")
        proxy.kill_all(TOKEN)
        await page.until(f"{CHIP} === 'not connected'")
        proxy.again()
        await page.until(f"{CHIP} === 'ready' && {TEXT}.includes('Latest restore')")
        await page.run("location.hash = '#/aliases'")
        await page.until("document.querySelectorAll('.list .row').length >= 2")
        assert "vpc-" in await page.run(TEXT)
        await page.run("document.querySelector('.list .row').click()")
        await page.run("location.hash = '#/restore'")
        await page.until(f"{TEXT}.includes('restored')")
        client("sqs", proxy.url).receive_message(QueueUrl=orders)
        client("s3", proxy.url).put_object(Bucket="invoices", Key="2026/order-5.pdf", Body=b"%PDF")
        await page.until("document.getElementById('state').textContent.includes('calls in the recording')")

        for view in ("overview", "live", "resources/2", "calls/2", "timeline", "graph", "restore", "aliases", "doctor"):
            for look, width, dark in LOOKS if PICTURES else LOOKS[1:]:
                await page.look(width=width, dark=dark)
                await page.run(f"location.hash = '#/{view}'")
                await page.run(DRAWN)
                where = view.partition("/")[0], look
                assert await page.run("document.documentElement.scrollWidth <= innerWidth"), where
                await page.picture(pictures / f"console-{'-'.join(where)}.png")
                if missing_axe() is None and (look == "dark" or view in ("overview", "live")):
                    assert await complaints_of_axe(page) == [], where
        await page.look()
        await page.run("location.hash = '#/overview'")
        await click(page, "Load anew")
        await page.run(DRAWN)
        await page.picture(pictures / "console-dialog.png")
        assert missing_axe() is not None or await complaints_of_axe(page) == []
        assert complaints(page, proxy.url) == []
    assert "Traceback" not in proxy.log
