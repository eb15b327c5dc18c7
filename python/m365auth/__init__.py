"""OAuth2 access tokens for Microsoft 365 mail and calendars.

    from m365auth import get_access_token

    token = get_access_token("calendar")

Sign in once with the command `get-token --profile calendar`, which is installed together with this module. The module
and the commands share the configuration and the stored tokens.

Every failure raises an `Error`, whose class says what to do next. The logger `m365auth` receives progress and warnings,
but never a token.
"""

__all__ = ["ConfigurationError", "Error", "SignInNeeded", "TryLater", "get_access_token", "get_refresh_token"]

from ._native import get_access_token, get_refresh_token


class Error(ValueError):
    """No token is available. `str()` returns the message, the hint and Microsoft's reference."""

    message: str
    """What failed."""
    hint: str | None
    """What to do next, usually a command to run."""
    reference: str | None
    """The AADSTS code and the IDs that Microsoft's support asks for, if Microsoft refused the request."""

    def __init__(self, message: str, hint: str | None = None, reference: str | None = None) -> None:
        super().__init__(message, hint, reference)  # pickle passes these arguments to the class
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
    """The user must act: sign in again, consent, or contact an administrator."""


class TryLater(Error):
    """The network or Microsoft is not available, Microsoft throttles requests, or a timeout expired. A stored refresh
    token is kept."""


class ConfigurationError(Error):
    """The configuration, the profile or the app registration is wrong."""
