//! The mail programs that run sendmail.
