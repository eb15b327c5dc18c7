"""Fixtures: a user's home folder and the stand-in for Microsoft."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

ROOT = Path(__file__).parents[2]
ADA = "ada@example.com"


class Standin:
    """The program of tests/standin, controlled over HTTP."""

    def __init__(self, folder):
        program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/standin"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([program, "--directory", folder], text=True, **pipes)
        lines = [self.process.stdout.readline().strip() for _ in range(4)]
        settings = dict(line.split("=", 1) for line in lines[:3])
        self.authority, self.ca_file = settings["authority"], settings["ca_file"]
        self.client_id = settings["client_id"]
        self.origin = self.authority.removesuffix("/common/")
        self.session = requests.Session()
        self.session.trust_env = False  # ignore the machine's proxies and certificate authorities
        self.session.verify = self.ca_file

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def control(self, method, path, **arguments):
        response = self.session.request(method, f"{self.origin}/standin/{path}", **arguments)
        response.raise_for_status()
        return response.json()

    def inject(self, fault):
        self.control("POST", "faults", json=fault)

    def token_requests(self):
        """Returns the number of token requests, with or without a response."""
        return self.control("GET", "counts")["token_requests"]

    def is_valid(self, **token):
        """Returns whether an `access_token` or a `refresh_token` is valid."""
        return self.control("GET", "valid", params=token)["valid"]

    def sign_in(self, url):
        """Signs in as Ada in place of a browser. Returns the URL of the redirect."""
        page = self.session.get(url).text
        form = next(form for form in page.split("<form") if ADA in form)
        action = re.search(r'action="([^"]*)"', form)[1]
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
        response = self.session.post(urljoin(url, action), data=fields, allow_redirects=False)
        return response.headers["Location"]


class Home:
    """A home folder, used by this process and its child processes."""

    def __init__(self, folder, standin):
        self.folder, self.standin = folder, standin
        self.config_file = folder / ".config/m365auth/config.toml"
        self.cache = folder / ".cache/m365auth"
        self.configure()

    def configure(self, more="cache = 'none'\nstore = 'file'"):
        """Writes the configuration. By default without the cache, because most tests are about requests to Microsoft."""
        standin = self.standin
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(
            f"client_id = '{standin.client_id}'\nauthority = '{standin.authority}'\nca_file = '{standin.ca_file}'\n{more}"
        )

    def store_token(self, profile="mail"):
        """Stores a new refresh token in the file, as a sign-in without a keychain does."""
        token = self.standin.control("POST", "refresh-token")["refresh_token"]
        self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.cache / f"refresh_token_{profile}"
        file.touch(mode=0o600)
        file.write_text(token)
        return token

    def stored_token(self, profile="mail"):
        return (self.cache / f"refresh_token_{profile}").read_text()

    def start(self, *command, **variables):
        pipe = subprocess.PIPE
        environment = os.environ | variables
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)

    def python(self, script, **variables):
        """Starts a script from a file."""
        file = self.folder / "script.py"
        file.write_text(script)
        return self.start(sys.executable, file, **variables)


@pytest.fixture
def standin(tmp_path):
    standin = Standin(tmp_path / "standin")
    yield standin
    standin.stop()


@pytest.fixture
def home(tmp_path, monkeypatch, standin):
    for name in list(os.environ):
        if name.startswith(("M365AUTH_", "XDG_", "SSH_", "DBUS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))  # never use the developer's keychain
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return Home(folder, standin)


def output(process, stdin=None):
    """Returns the stdout of a process, which must succeed."""
    stdout, stderr = process.communicate(stdin, timeout=60)
    assert process.returncode == 0, stderr
    return stdout


def eventually(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("timed out")
