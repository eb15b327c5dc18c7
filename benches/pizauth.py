"""A pizauth that is signed in to the stand-in. Its daemon caches a token, which `pizauth show` prints."""

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
    """Starts pizauth and signs in. Returns the command that prints its token."""
    trust = ssl.create_default_context(cafile=setting.ca_file)
    # pizauth trusts only its built-in certificate authorities, not the stand-in's. A relay adds TLS for it.
    relay = Relay(setting.port, 0, trust)
    configuration = setting.home / ".config/pizauth.conf"  # where `pizauth info` looks for it
    values = {"authority": setting.authority, "port": relay.port, "client_id": setting.client_id}
    configuration.write_text(CONFIGURATION.format(**values))
    setting.environment["SHELL"] = "/bin/sh"  # pizauth needs SHELL to start
    setting.start([program, "server", "-d", "-c", configuration], stdout=subprocess.DEVNULL)
    show = [str(program), "show", "mail"]
    # Without a token, `pizauth show` prints the sign-in URL as soon as the daemon runs.
    url = wait_for(lambda: re.search(r"https://\S+", run(show, setting).stderr))[0]
    sign_in(url, trust)
    wait_for(lambda: run(show, setting).returncode == 0)
    return show


def version(setting, program):
    return run([program, "info"], setting).stdout.splitlines()[0].strip(" :")


def run(command, setting):
    return subprocess.run(command, env=setting.environment, capture_output=True, text=True)


def sign_in(url, trust):
    """Presses the button on the sign-in page, which redirects to pizauth."""
    with urllib.request.urlopen(url, context=trust) as response:
        flow = re.search('name="flow" value="([^"]+)"', response.read().decode())[1]
    form = urllib.parse.urlencode({"flow": flow, "account": "ada@example.com"}).encode()
    urllib.request.urlopen(urllib.parse.urljoin(url, "/common/login"), form, context=trust).close()


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise SystemExit("error: pizauth did not get a token within 20 seconds")
        time.sleep(0.05)
    return result
