"""ortie, which leaves the storage to programs of the user's own: here `cat` and a file, without encryption."""

import json
import subprocess

CONFIGURATION = """[accounts.mail]
default = true
client-id = "{client_id}"
endpoints.authorization = "{authority}oauth2/v2.0/authorize"
endpoints.token = "{authority}oauth2/v2.0/token"
scopes = ["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"]
storage.read.command = ["cat", "{tokens}"]
storage.write.command = "cat >{tokens}"
"""


def prepare(setting, program):
    """Returns the commands that print its stored token, and that refresh it."""
    tokens, configuration = setting.folder / "ortie-tokens", setting.folder / "ortie.toml"
    tokens.touch(mode=0o600)
    token = {"access_token": "old", "token_type": "Bearer", "refresh_token": setting.new_refresh_token()}
    tokens.write_text(json.dumps(token))
    values = {"authority": setting.authority, "client_id": setting.client_id, "tokens": tokens}
    configuration.write_text(CONFIGURATION.format(**values))
    command = ["env", f"SSL_CERT_FILE={setting.bundle}", str(program), "--config", str(configuration), "token"]
    subprocess.run([*command, "refresh"], env=setting.environment, check=True, capture_output=True)
    return [*command, "show"], [*command, "refresh"]
