"""A pizauth that is signed in at the stand-in: its daemon holds a token, which `pizauth show` prints."""

import re
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

from relay import Relay

CONFIGURATION = """auth_notify_cmd = "echo \\"$PIZAUTH_URL\\" > FOLDER/address.new; mv FOLDER/address.new FOLDER/address";
account "mail" {
    auth_uri = "AUTHORITYoauth2/v2.0/authorize";
    token_uri = "http://localhost:PORT/common/oauth2/v2.0/token";
    client_id = "CLIENT_ID";
    scopes = ["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"];
}
"""


def start(setting, program):
    """The command that prints its token."""
    trust = ssl.create_default_context(cafile=setting.ca_file)
    # It trusts the authorities that are compiled in alone, and not the stand-in's: a relay speaks TLS for it.
    relay = Relay(setting.port, 0, trust)
    folder = setting.folder / "pizauth"
    folder.mkdir(mode=0o700)
    configuration = folder / "pizauth.conf"
    values = {"FOLDER": folder, "AUTHORITY": setting.authority, "PORT": relay.port, "CLIENT_ID": setting.client_id}
    configuration.write_text(re.sub("FOLDER|AUTHORITY|PORT|CLIENT_ID", lambda m: str(values[m[0]]), CONFIGURATION))
    setting.start([program, "server", "-d", "-c", configuration], stdout=subprocess.DEVNULL)
    show = [str(program), "show", "mail"]
    wait(lambda: asked(show, setting) and (folder / "address").exists())
    sign_in((folder / "address").read_text().strip(), trust)
    wait(lambda: subprocess.run(show, env=setting.environment, capture_output=True).returncode == 0)
    return show


def asked(show, setting):
    """The first call finds no token, and has the person told."""
    return subprocess.run(show, env=setting.environment, capture_output=True).returncode is not None


def sign_in(address, trust):
    """Presses the button; the redirect goes to pizauth."""
    with urllib.request.urlopen(address, context=trust) as answer:
        flow = re.search('name="flow" value="([^"]+)"', answer.read().decode())[1]
    form = urllib.parse.urlencode({"flow": flow, "account": "ada@example.com"}).encode()
    urllib.request.urlopen(urllib.parse.urljoin(address, "/common/login"), form, context=trust).close()


def wait(holds):
    limit = time.monotonic() + 20
    while not holds():
        if time.monotonic() > limit:
            raise SystemExit("error: pizauth did not get a token")
        time.sleep(0.05)
