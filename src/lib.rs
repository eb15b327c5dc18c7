//! m365auth
