//! The hand-written sections of the man pages. `docs/commands.md` and `docs/configuration.md` contain the same text.
//!
//! Texts are Markdown with two inline elements: `` `code` `` and `[links](docs/…)`.

use crate::error::ErrorKind;

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) blocks: &'static [Block],
}

pub(super) enum Block {
    Text(&'static str),
    Code(&'static str),
    /// Terms, such as flags or keys, and what they mean.
    List(&'static [(&'static str, &'static str)]),
}

use Block::{Code, List, Text};

/// The exit codes other than 0, and what to do about each.
pub(super) const EXIT_CODES: [ErrorKind; 9] = [
    ErrorKind::Usage,
    ErrorKind::PastedUrl,
    ErrorKind::Unavailable,
    ErrorKind::Defect,
    ErrorKind::Storage,
    ErrorKind::TryLater,
    ErrorKind::Protocol,
    ErrorKind::SignIn,
    ErrorKind::Configuration,
];

/// Returns the meaning of an exit code, and what to do.
pub(super) fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Usage => "The command line is wrong. Compare it with `--help`.",
        ErrorKind::PastedUrl => {
            "The input is not a redirect URL or, with `--with-token`, not a refresh token. `m365-sendmail`: the message \
             is not valid or too large, or names other recipients than the arguments."
        }
        ErrorKind::Unavailable => {
            "The callback port is in use, or a store that may contain the token is locked or not available, fails or \
             does not respond. Choose another port in `redirect_uri`, unlock the keychain, or run your `store.load` program in a terminal."
        }
        ErrorKind::Defect => "A bug in M365-Auth. Please report it.",
        ErrorKind::Storage => {
            "A file, the stored token or stdout cannot be read or written. Check the owner of the named file, and \
             whether the disk is full."
        }
        ErrorKind::TryLater => {
            "Network error, timeout, or Microsoft is busy. Try again later, as a timer does by itself."
        }
        ErrorKind::Protocol => {
            "The response did not come from Microsoft, for example in a hotel network where you must log in, or it \
             belongs to another sign-in."
        }
        ErrorKind::SignIn => {
            "You must act: sign in again, consent, or contact an administrator, as the hint says. Retrying does not help."
        }
        ErrorKind::Configuration => "The configuration, the profile or the app registration must be corrected.",
    }
}

pub(super) const AFTER_EXIT_CODES: &str = "An error message starts with `error:` and says what failed. In most cases a \
    line with `hint:` says what to do. If Microsoft refused the request, a third line gives the reference that \
    Microsoft's support asks for. stdout is empty unless the exit code is 0, except for the reports of `--check` and \
    `--status`.";

pub(super) const ENVIRONMENT: Section = Section {
    title: "Environment",
    blocks: &[List(&[
        ("`M365AUTH_CONFIG`", "The configuration file, unless `--config` is given."),
        (
            "`M365AUTH_TRUST_CONFIG`",
            "The path of a configuration file that is accepted even if others can write it, or if its file system, such as a \
             mounted volume, has no modes.",
        ),
        (
            "`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`",
            "The proxy (`http://` or `socks5://`), and the hosts that are reached without it. Mail servers are always \
             reached without it.",
        ),
        (
            "`SSL_CERT_FILE`, `SSL_CERT_DIR`",
            "Certificate authorities. On Linux they replace those of the system. On macOS and Windows \
             `SSL_CERT_FILE` adds to them, and `SSL_CERT_DIR` is ignored. The key `ca_file` adds to them on all \
             systems.",
        ),
    ])],
};

pub(super) const FILES: Section = Section {
    title: "Files",
    blocks: &[
        List(&[
            (
                "Linux",
                "`$XDG_CONFIG_HOME/m365auth/config.toml` or `~/.config/m365auth/config.toml`. Cache folder: \
                 `$XDG_CACHE_HOME/m365auth` or `~/.cache/m365auth`.",
            ),
            (
                "macOS",
                "`~/Library/Application Support/m365auth/config.toml`. Cache folder: `~/Library/Caches/m365auth`.",
            ),
            (
                "Windows",
                "`%LOCALAPPDATA%\\m365auth\\m365auth\\config.toml`. Cache folder: \
                 `%LOCALAPPDATA%\\m365auth\\m365auth\\Cache`.",
            ),
        ]),
        Text(
            "The keychain entry has the service `m365auth-PROFILE` and the user name `refresh_token`. The cache folder \
             contains these files, with mode 600:",
        ),
        List(&[
            (
                "`refresh_token_PROFILE`",
                "The refresh token, if the keychain cannot store it or with `store = \"file\"`. Not encrypted.",
            ),
            (
                "`records_PROFILE.toml`",
                "Account, authority, client ID and times of the stored token, and the last refusal. No secret.",
            ),
            (
                "`lock_PROFILE`",
                "Locked while a command refreshes the token. After a refusal, it contains the refusal for the commands \
                 that wait.",
            ),
            ("`told_PROFILE`, `certificate_PROFILE`", "Empty. The modification time is when you were last notified."),
            ("`server.cert`, `server.key`", "The certificate for `localhost` and its private key."),
            ("`warned_of_modes`", "Empty. You were warned that the file system has no file modes."),
        ]),
    ],
};

pub(super) const CONFIGURATION: Section = Section {
    title: "Description",
    blocks: &[Text(
        "The first run of `get-token` asks some questions and writes this TOML file. Only `client_id` is required. \
         An unknown key is an error.",
    )],
};

pub(super) const KEYS: Section = Section {
    title: "Keys",
    blocks: &[List(&[
        ("`client_id`", "The Application (client) ID of [the app registration](docs/register-an-application.md)."),
        (
            "`client_secret`",
            "For a registration of the type *Web*. `{ command = [\"pass\", \"show\", \"m365/secret\"] }` runs a program \
             that prints it.",
        ),
        (
            "`client_certificate`",
            "Instead of a secret: a PEM file with [the certificate and its RSA key](docs/application-access.md), or a \
             list of two files.",
        ),
        (
            "`grant`",
            "`\"client_credentials\"`: [the application requests tokens for itself](docs/application-access.md), and \
             nobody signs in. Default: `\"refresh_token\"`.",
        ),
        (
            "`tenant`",
            "Who can sign in: a tenant ID, a domain, `organizations`, `consumers` or `common`. Default: `\"common\"`. \
             A registration for a single organisation needs its tenant.",
        ),
        (
            "`cloud`",
            "`global`, `us-gov` (GCC High) or `china` (21Vianet): [national clouds](docs/accounts.md#national-clouds). \
             Default: `\"global\"`.",
        ),
        (
            "`authority`",
            "Instead of `tenant` and `cloud`: the full URL, `\"https://login.microsoftonline.com/YOUR-TENANT-ID/\"`.",
        ),
        (
            "`redirect_uri`",
            "A registered redirect URI on this machine; the port can differ. Default: `\"https://localhost:7598/\"`. \
             With `\"http://localhost/\"` there is no certificate warning, and any free port is used.",
        ),
        ("`username`", "Your mail address. Without it, Microsoft asks at each sign-in which account to use."),
        (
            "`broker`",
            "Linux, experimental: `true` gets the tokens from [the identity broker of a managed \
             device](docs/conditional-access.md#managed-devices-on-linux).",
        ),
        (
            "`store`",
            "[Where refresh tokens are stored](docs/token-storage.md): `\"auto\"` (the default: the keychain, or a file \
             if that fails), `\"keychain\"`, `\"file\"`, or programs of your own in `store.load`, `store.save` and \
             `store.delete`.",
        ),
        (
            "`cache`",
            "Where access tokens are cached on Linux: `\"memory\"` (the default: the kernel keyring, never on disk) or \
             `\"none\"`.",
        ),
        ("`network_timeout`", "Total timeout of a request in seconds, retries included, 1 to 600. Default: 30."),
        (
            "`ca_file`",
            "An additional certificate authority (PEM), such as your company's. A relative path is relative to the \
             folder of this file.",
        ),
        (
            "`imap_host`, `smtp_host`, `graph_host`",
            "The servers that `--check` tests, as `host` or `host:port`. Default: those of the cloud.",
        ),
        (
            "`on_sign_in_needed`",
            "A program to run when you must act (below). Default: a desktop notification on Linux. `[]` turns off \
             both.",
        ),
        (
            "`scopes`",
            "Only in a profile: [the permissions of its access token](docs/register-an-application.md#permissions). \
             Built in for `mail`, `calendar` and `send`.",
        ),
    ])],
};

pub(super) const PROFILES: Section = Section {
    title: "Profiles",
    blocks: &[
        Text(
            "A [profile](docs/accounts.md) is one account at one service. Keys above the first section apply to all \
             profiles. A section can contain any key, which then applies to this profile only:",
        ),
        Code(
            "client_id = \"YOUR-CLIENT-ID\"\n\
             username = \"ada@example.com\"\n\
             \n\
             [profiles.tasks]\n\
             scopes = [\"https://graph.microsoft.com/Tasks.ReadWrite\"]\n\
             username = \"grace@example.com\"\n",
        ),
        Text(
            "`get-token --profile tasks` signs you in, and `refresh-token --profile tasks` prints an access token. The \
             name of a profile can contain letters, digits, spaces and `- _ . @ +`, and must not start with a dot.",
        ),
    ],
};

pub(super) const NOTIFICATIONS: Section = Section {
    title: "Notifications",
    blocks: &[
        Text(
            "`refresh-token` notifies you of each error that you must resolve: exit code 77, or 78 if Microsoft refused \
             the request. You hear of it before mail stops, while the old token is still valid, \
             and at most once an hour for each profile. `get-refresh-token` notifies you of a token that is 75 days old. \
             `refresh-token` notifies you once a day of a certificate that expires within 30 days. \
             You are not notified of a locked keychain, a network error or a mistake that `refresh-token` finds in the configuration.",
        ),
        Text("Linux desktops show a notification. `on_sign_in_needed` names a program to run instead:"),
        Code("on_sign_in_needed = [\"notify-send\", \"Mail: please sign in\"]\n"),
        Text(
            "The value is the program and its arguments; no shell is used. [More examples](docs/reliability.md#notifications): a message to your phone, a mail, macOS and \
             Windows. The program's environment contains:",
        ),
        List(&[
            ("`M365AUTH_PROFILE`, `M365AUTH_ACCOUNT`", "The profile, and the account if it is known."),
            ("`M365AUTH_REASON`, `M365AUTH_HINT`", "What happened, and what to do."),
            ("`M365AUTH_REFERENCE`", "The code and the IDs for Microsoft's support, if Microsoft refused the token."),
            (
                "`M365AUTH_EXIT`",
                "77 or 78: what `refresh-token` exits with once no cached token is left. 0: a refresh token is old, or a \
                 certificate expires soon.",
            ),
        ]),
    ],
};
