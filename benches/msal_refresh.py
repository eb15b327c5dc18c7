"""Does the same as `refresh-token --fresh`, with Microsoft's Python library and `keyring`."""

import sys

import keyring
import msal

authority, client_id, bundle, profile = sys.argv[1:]
SCOPES = ["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"]

app = msal.PublicClientApplication(client_id, authority=authority, verify=bundle, instance_discovery=False)
refresh_token = keyring.get_password(f"m365auth-{profile}", "refresh_token")
response = app.acquire_token_by_refresh_token(refresh_token, SCOPES)
if "access_token" not in response:
    raise SystemExit(f"error: {response.get('error_description', response)}")
keyring.set_password(f"m365auth-{profile}", "refresh_token", response["refresh_token"])
print(response["access_token"])
