"""The environment of the benchmarks: the built commands, the stand-in for Microsoft, and a real gnome-keyring.

All servers listen on loopback and end with the benchmark. All files are in one temporary folder.
"""

import contextlib
import json
import os
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target/release"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

# The bus does not start services on demand. Root may use it too.
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=PATH</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>"""


def build(*arguments):
    """Runs cargo build. Build commands and stand-in separately, because Cargo would unify their features."""
    subprocess.run(["cargo", "build", "--locked", *arguments], cwd=ROOT, check=True)


def add_target(target):
    """Installs Rust's standard library for this target, unless it is installed."""
    sysroot = subprocess.run(["rustc", "--print=sysroot"], check=True, capture_output=True, text=True).stdout.strip()
    if not (Path(sysroot) / "lib/rustlib" / target).exists():
        subprocess.run(["rustup", "target", "add", target], check=True)


class Setting:
    """A context manager for a new home folder and a running stand-in."""

    def __init__(self, *standin):
        """`standin` is the stand-in's program and its options."""
        self._standin = standin
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        # A short path, because a socket's path is limited to 107 characters.
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="m365-", dir="/tmp")))
        self.home = self.folder / "home"
        self.home.mkdir()
        # No variable of the caller, above all not SSL_CERT_FILE and SSL_CERT_DIR, which some machines export: all
        # programs must read the system's certificate authorities.
        self.environment = {"HOME": str(self.home), "PATH": f"{RELEASE}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
        self.environment["XDG_RUNTIME_DIR"] = str(self.folder)  # never use the developer's keychain
        self._start_standin()
        return self

    def __exit__(self, *_):
        # The keys in kernel memory would stay for an hour, and count in the user's quota.
        with contextlib.suppress(FileNotFoundError):  # benches/instructions builds no get-token; its key soon expires
            subprocess.run(["get-token", "--sign-out"], env=self.environment, capture_output=True)
        self._stack.close()

    def start(self, command, **options):
        """Starts a program that ends with the benchmark."""
        process = subprocess.Popen(command, text=True, env=self.environment, stderr=subprocess.DEVNULL, **options)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process

    def _start_standin(self):
        command = [*self._standin, "--directory", self.folder]
        standin = self.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.standin = standin
        settings = {}
        for line in iter(standin.stdout.readline, "ready\n"):
            if not line:
                raise SystemExit("error: the stand-in did not start")
            name, value = line.strip().split("=", 1)
            settings[name] = value
        names = ["authority", "ca_file", "client_id"]
        self.authority, self.ca_file, self.client_id = (settings[name] for name in names)
        self.port = int(self.authority.split(":")[2].split("/")[0])
        self._trust = ssl.create_default_context(cafile=self.ca_file)
        # For programs that need one file: the system's certificate authorities and the stand-in's.
        self.bundle = self.folder / "bundle.pem"
        self.bundle.write_text(BUNDLE.read_text() + Path(self.ca_file).read_text())

    def start_login(self):
        """Starts a private bus with an unlocked gnome-keyring."""
        runtime = self.folder / "run"
        runtime.mkdir(mode=0o700)
        configuration = self.folder / "bus.conf"
        configuration.write_text(BUS.replace("PATH", str(self.folder / "bus")))
        command = ["dbus-daemon", "--nofork", "--nopidfile", "--print-address", f"--config-file={configuration}"]
        bus = self.start(command, stdout=subprocess.PIPE)
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        self.environment["XDG_RUNTIME_DIR"] = str(runtime)
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock"]
        keyring = self.start(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        keyring.stdin.write("a password")
        keyring.stdin.close()
        has_owner = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/",
               "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]
        deadline = time.monotonic() + 20
        while "true" not in subprocess.run(has_owner, env=self.environment, capture_output=True, text=True).stdout:
            if time.monotonic() > deadline:
                raise SystemExit("error: gnome-keyring did not start within 20 seconds")
            time.sleep(0.02)

    def control(self, path, data=None):
        """Sends a request to the stand-in's control API."""
        url = f"https://localhost:{self.port}/standin/{path}"
        with urllib.request.urlopen(url, data, context=self._trust) as response:
            return json.load(response)

    def token_requests(self):
        return self.control("counts")["token_requests"]

    def requests(self):
        """Returns the number of requests to the stand-in, without those to its control API."""
        return len(self.control("requests"))

    def is_valid(self, access_token):
        return self.control(f"valid?access_token={access_token}")["valid"]

    def new_refresh_token(self):
        return self.control("refresh-token", b"")["refresh_token"]

    def configure(self, text, name="config.toml"):
        """Writes the keys that every benchmark needs, followed by `text`. Returns the configuration file."""
        file = self.home / ".config/m365auth" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        keys = f"client_id = '{self.client_id}'\nauthority = '{self.authority}'\nca_file = '{self.ca_file}'\n"
        file.write_text(keys + text)
        return file

    def sign_in(self, profile):
        """Stores a refresh token in the file, from which the next refresh moves it to the keychain if there is one."""
        cache = self.home / ".cache/m365auth"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = cache / f"refresh_token_{profile}"
        file.touch(mode=0o600)
        file.write_text(self.new_refresh_token())
