//! The custom section that holds the claims, and the hash of what is left without it.
