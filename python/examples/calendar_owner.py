"""Prints the owner of your calendar with asyncio. The event loop runs while the threads wait for Microsoft."""

import asyncio
import json
from urllib.request import Request, urlopen

from m365auth import get_access_token


def get(url: str, token: str) -> bytes:
    with urlopen(Request(url, headers={"Authorization": f"Bearer {token}"})) as response:
        content: bytes = response.read()
        return content


async def main() -> None:
    token = await asyncio.to_thread(get_access_token, "calendar")
    calendar = await asyncio.to_thread(get, "https://graph.microsoft.com/v1.0/me/calendar", token)
    print(json.loads(calendar)["owner"]["address"])


asyncio.run(main())
