//! Outages of the whole server, until they end.

/// How the server is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Connections are refused.
    Refused,
    /// Connections are established and nothing is ever sent, which to a client is as if packets were dropped.
    Silent,
}
