"""Chromium, driven through chromedriver's own protocol: JSON over HTTP, no further package."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--allow-file-access-from-files"),
)
SECONDS = 60


def there_is() -> bool:
    """Whether this machine has both programs."""
    return all(shutil.which(name) for name in ("chromium", "chromedriver"))


class Browser:
    """One session."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        options = {"args": [*SWITCHES, f"--user-data-dir={folder}"], "binary": _chromium()}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, path: Path) -> None:
        """Loads a file, also one that is open; returns when it has loaded."""
        for address in ("about:blank", path.resolve().as_uri()):
            self._call("POST", f"{self._session}/url", {"url": address})
        end = time.monotonic() + SECONDS
        while self.run("return location.href + document.readyState") != f"{address}complete":
            if time.monotonic() > end:
                raise RuntimeError(f"{path} does not load")
            time.sleep(0.05)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns."""
        given = {"script": script, "args": list(arguments)}
        return self._call("POST", f"{self._session}/execute/sync", given)

    def size(self, width: int, height: int) -> None:
        """Of the window."""
        self._call("POST", f"{self._session}/window/rect", {"width": width, "height": height})

    def console(self) -> list[str]:
        """What the page and the browser wrote since the last call."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def requests(self, page: Path) -> list[str]:
        """Addresses that a page asked for since the last call, its own among them."""
        own = page.resolve().as_uri()
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            str(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
            and event["params"]["documentURL"].partition("#")[0] == own
        ]

    def end(self) -> None:
        """Closes it."""
        self._call("DELETE", self._session)

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("POST", f"{self._session}/se/log", {"type": kind})
        return found

    def _call(self, method: str, path: str, given: Any = None) -> Any:
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(  # noqa: S310 (our own driver)
            self._address + path, body, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode("utf-8", "replace")[:600]) from error


def _chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("no chromium")
    return found


@contextmanager
def browser(folder: Path) -> Generator[Browser]:
    """A browser with a fresh profile in a folder; it and its driver end with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = shutil.which("chromedriver") or ""
    with subprocess.Popen(
        [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait(port)
            session = Browser(f"http://127.0.0.1:{port}", folder)
            try:
                yield session
            finally:
                session.end()
        finally:
            process.terminate()


def _wait(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("chromedriver does not answer")
