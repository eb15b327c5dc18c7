"""mutt_oauth2.py of Debian's package mutt, which stores its tokens in a file that gpg encrypts."""

import json
import subprocess
from pathlib import Path

SCRIPT = Path("/usr/share/doc/mutt/examples/mutt_oauth2.py")
KEY = "ada@example.com"


def prepare(setting):
    """Returns the commands that print its cached token, and that refresh the token first."""
    setting.environment["GNUPGHOME"] = str(folder(setting))
    folder(setting).mkdir(mode=0o700)
    gpg("--batch", "--passphrase", "", "--quick-generate-key", KEY, setting=setting)
    script = setting.folder / "mutt_oauth2.py"
    script.write_text(
        SCRIPT.read_text()
        .replace("YOUR_GPG_IDENTITY", KEY)
        .replace("https://login.microsoftonline.com/common/", setting.authority)
        .replace("'client_id': ''", f"'client_id': '{setting.client_id}'")
        # A public client has no secret, and Microsoft refuses an empty one (AADSTS700025).
        .replace("p.update({'client_secret': registration['client_secret'],", "p.update({")
    )
    old = setting.folder / "mutt-old"
    token = {
        "registration": "microsoft", "authflow": "authcode", "email": KEY, "access_token": "",
        "access_token_expiration": "2020-01-01T00:00:00", "refresh_token": setting.new_refresh_token(),
    }
    encrypted = gpg("--encrypt", "--recipient", KEY, setting=setting, data=json.dumps(token).encode())
    old.touch(mode=0o600)
    old.write_bytes(encrypted)
    tokens = setting.folder / "mutt-tokens"
    # Python's ssl module reads SSL_CERT_FILE.
    show = f"SSL_CERT_FILE={setting.bundle} exec python3 {script} {tokens}"
    refresh = ["sh", "-c", f"cp -p {old} {tokens} && {show}"]
    subprocess.run(refresh, env=setting.environment, check=True, capture_output=True)
    return ["sh", "-c", show], refresh


def stop(setting):
    """Ends the agent that gpg started."""
    if folder(setting).exists():
        subprocess.run(["gpgconf", "--kill", "all"], env=setting.environment, check=True)


def folder(setting):
    return setting.folder / "gnupg"


def gpg(*arguments, setting, data=b""):
    command = ["gpg", "--quiet", *arguments]
    return subprocess.run(command, env=setting.environment, input=data, check=True, capture_output=True).stdout
