#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives examples/chat: the page, and a talk between WebSockets; with --browser one of them is headless Chromium's.

    chat_test.py [--browser] PROGRAM
"""
import http.client
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import harness  # noqa: E402
from websocket_client import CLOSE, PATIENCE, PING, PONG, WebSocket  # noqa: E402

SKIPPED = 77


def get(connection, target):
    connection.request("GET", target)
    response = connection.getresponse()
    return response.status, response.read().decode()


def talk(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    status, page = get(connection, "/")
    assert status == 200 and "new WebSocket" in page, page
    assert get(connection, "/elsewhere")[0] == 404, "on the same connection"
    assert get(connection, "/chat")[0] == 404, "a WebSocket alone"
    connection.close()

    people = [WebSocket(port, "/chat") for _ in range(20)]
    people[0].send(b"are you there?", PING)
    assert people[0].receive() == (PONG, b"are you there?")
    for i, speaker in enumerate(people):  # each has joined once it has heard itself
        speaker.send(f"number {i}")
        while speaker.text() != f"number {i}":
            pass
    long_message = "long " * 10000
    people[0].send(long_message)
    for person in people:
        while (heard := person.text()) != long_message:
            assert heard.startswith("number "), heard
    people[3].close()
    people[4].send(b"", CLOSE)
    assert people[4].receive()[0] == CLOSE
    people[5].send("x" * 100_000)
    assert people[5].receive()[0] == CLOSE, "longer than allowed"
    people[0].send("still here")
    for person in people[:3] + people[6:]:
        assert person.text() == "still here"
    return people[0]


class Browser:
    """Headless Chromium, by chromedriver and the WebDriver protocol."""

    def __init__(self, driver):
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       preexec_fn=harness.die_with_parent)
        for line in self.driver.stdout:
            if "successfully on port " in line:
                self.port = int(line.rstrip(".\n").rpartition(" ")[2])
                break
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]}
        asked = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self.session = f"/session/{self.call('POST', '/session', asked)['sessionId']}"

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise harness.Failed(f"chromedriver: {value['message']}")
        return value

    def open(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def run(self, script):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def wait_for(self, script):
        limit = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < limit, script
            time.sleep(0.02)

    def stop(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


def talk_with_browser(port, driver):
    other = WebSocket(port, "/chat")
    browser = Browser(driver)
    try:
        browser.open(f"http://127.0.0.1:{port}/")
        browser.wait_for("return document.getElementById('state').textContent === 'connected'")
        browser.run("document.getElementById('name').value = 'Ada';"
                    "document.getElementById('text').value = 'hello from a page';"
                    "document.getElementById('send').click()")
        assert other.text() == "Ada: hello from a page"
        other.send("<b>Bob</b>: hello, page")
        browser.wait_for("return document.querySelectorAll('#log li').length === 2")
        lines = browser.run("return [...document.querySelectorAll('#log li')].map(line => line.textContent)")
        assert lines == ["Ada: hello from a page", "<b>Bob</b>: hello, page"], lines
        assert browser.run("return document.querySelector('#log b')") is None, "text is no markup"
    finally:
        browser.stop()


def main(program, browser):
    driver = shutil.which("chromedriver")
    if browser and driver is None:
        print("skipped: no chromedriver (Debian's chromium-driver)")
        return SKIPPED
    with harness.Server([program]) as server:
        if browser:
            talk_with_browser(server.port, driver)
        else:
            talk(server.port)
        assert server.stop() == 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1], "--browser" in sys.argv[1:-1]))
