"""A person's home, and the stand-in for Microsoft."""

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
    """The program of tests/standin, which is ordered about over HTTP."""

    def __init__(self, folder):
        program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/standin"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([program, "--directory", folder], text=True, **pipes)
        lines = [self.process.stdout.readline().strip() for _ in range(4)]
        said = dict(line.split("=", 1) for line in lines[:3])
        self.authority, self.ca_file, self.client_id = said["authority"], said["ca_file"], said["client_id"]
        self.origin = self.authority.removesuffix("/common/")
        self.session = requests.Session()
        self.session.trust_env = False  # whatever the machine names: the stand-in alone
        self.session.verify = self.ca_file

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def control(self, method, path, **arguments):
        answer = self.session.request(method, f"{self.origin}/standin/{path}", **arguments)
        answer.raise_for_status()
        return answer.json()

    def order(self, fault):
        self.control("POST", "faults", json=fault)

    def asked(self):
        """How often a token was asked for, answered or not."""
        return self.control("GET", "counts")["token_requests"]

    def knows(self, **token):
        """Whether an `access_token` or a `refresh_token` is valid."""
        return self.control("GET", "valid", params=token)["valid"]

    def sign_in(self, address):
        """What the person does in the browser; returns the address that it is sent to."""
        page = self.session.get(address).text
        form = next(form for form in page.split("<form") if ADA in form)
        action = re.search(r'action="([^"]*)"', form)[1]
        fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', form))
        answer = self.session.post(urljoin(address, action), data=fields, allow_redirects=False)
        return answer.headers["Location"]


class Home:
    """A home folder; this process lives in it, and whatever it starts."""

    def __init__(self, folder, standin):
        self.folder, self.standin = folder, standin
        self.config_file = folder / ".config/m365auth/config.toml"
        self.cache = folder / ".cache/m365auth"
        self.configure()

    def configure(self, more="cache = 'none'"):
        """No access token is kept, unless a test wants it: most are about what Microsoft is asked."""
        standin = self.standin
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(
            f"client_id = '{standin.client_id}'\nauthority = '{standin.authority}'\nca_file = '{standin.ca_file}'\n{more}"
        )

    def store_token(self, profile="mail"):
        """As after a sign-in without a keychain."""
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
        """Starts a script, written into a file as a person has it."""
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
        if name.startswith(("M365AUTH_", "XDG_", "SSH_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")  # no keychain, above all not yours
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return Home(folder, standin)


def output(process, said=None):
    """What a process prints, where it succeeds."""
    stdout, stderr = process.communicate(said, timeout=60)
    assert process.returncode == 0, stderr
    return stdout


def eventually(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")
