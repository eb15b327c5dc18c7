"""OAuth2 access tokens for Microsoft 365 mail and calendars.

    from m365auth import get_access_token

    token = get_access_token("calendar")

Sign in once with the command `get-token --profile calendar`, which was installed together with this module. Module and
commands share the configuration and the stored tokens.

What goes wrong is an `Error`, and tells by its class what to do next. What happens meanwhile goes to the logger
`m365auth`; no token ever does.
"""

__all__ = ["ConfigurationError", "Error", "SignInNeeded", "TryLater", "get_access_token", "get_refresh_token"]

from ._native import get_access_token, get_refresh_token


class Error(ValueError):
    """There is no token to be had. As text: what happened, the hint, and Microsoft's reference."""

    message: str
    """What happened."""
    hint: str | None
    """The next command to type, or the next thing to look at."""
    reference: str | None
    """If Microsoft refused: what its support asks for, beginning with the AADSTS code if there is one."""

    def __init__(self, message: str, hint: str | None = None, reference: str | None = None) -> None:
        super().__init__(message, hint, reference)  # so that it can be pickled, and cross processes
        self.message = message
        self.hint = hint
        self.reference = reference

    def __str__(self) -> str:
        lines = [self.message]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        if self.reference:
            lines.append(f"Microsoft's reference: {self.reference}")
        return "\n".join(lines)


class SignInNeeded(Error):
    """A person must act: sign in again, consent, or talk to an administrator."""


class TryLater(Error):
    """Network, throttling, the service is down, time ran out. The stored token is still good."""


class ConfigurationError(Error):
    """The configuration, the profile or the app registration must be mended."""
