"""What `refresh-token --fresh` does, as a Python program does it: Microsoft's own library, and `keyring`."""

import sys

import keyring
import msal

authority, client_id, bundle, profile = sys.argv[1:]
SCOPES = ["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"]

app = msal.PublicClientApplication(client_id, authority=authority, verify=bundle, instance_discovery=False)
refresh_token = keyring.get_password(f"m365auth-{profile}", "refresh_token")
answer = app.acquire_token_by_refresh_token(refresh_token, SCOPES)
if "access_token" not in answer:
    raise SystemExit(f"error: {answer.get('error_description', answer)}")
keyring.set_password(f"m365auth-{profile}", "refresh_token", answer["refresh_token"])
print(answer["access_token"])
