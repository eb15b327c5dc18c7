"""A pizauth that is signed in at the stand-in: its daemon holds a token, which `pizauth show` prints."""

import re
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

from relay import Relay

CONFIGURATION = """account "mail" {{
    auth_uri = "{authority}oauth2/v2.0/authorize";
    token_uri = "http://localhost:{port}/common/oauth2/v2.0/token";
    client_id = "{client_id}";
    scopes = ["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"];
}}
"""


def start(setting, program):
    """The command that prints its token."""
    trust = ssl.create_default_context(cafile=setting.ca_file)
    # It trusts the authorities that are compiled in alone, and not the stand-in's: a relay speaks TLS for it.
    relay = Relay(setting.port, 0, trust)
    configuration = setting.folder / "pizauth.conf"
    values = {"authority": setting.authority, "port": relay.port, "client_id": setting.client_id}
    configuration.write_text(CONFIGURATION.format(**values))
    setting.environment["SHELL"] = "/bin/sh"  # without one it does not start
    setting.start([program, "server", "-d", "-c", configuration], stdout=subprocess.DEVNULL)
    show = [str(program), "show", "mail"]
    # Without a token it says where to sign in, once the daemon is there.
    address = wait_for(lambda: re.search(r"https://\S+", run(show, setting).stderr))[0]
    sign_in(address, trust)
    wait_for(lambda: run(show, setting).returncode == 0)
    return show


def run(command, setting):
    return subprocess.run(command, env=setting.environment, capture_output=True, text=True)


def sign_in(address, trust):
    """Presses the button; the redirect goes to pizauth."""
    with urllib.request.urlopen(address, context=trust) as answer:
        flow = re.search('name="flow" value="([^"]+)"', answer.read().decode())[1]
    form = urllib.parse.urlencode({"flow": flow, "account": "ada@example.com"}).encode()
    urllib.request.urlopen(urllib.parse.urljoin(address, "/common/login"), form, context=trust).close()


def wait_for(what):
    limit = time.monotonic() + 20
    while not (found := what()):
        if time.monotonic() > limit:
            raise SystemExit("error: pizauth did not get a token")
        time.sleep(0.05)
    return found
