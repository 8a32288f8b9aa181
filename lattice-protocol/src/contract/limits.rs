//! Every limit of the contracts, each with its unit in its name; those of one contract are in the
//! module that is named like it.
//!
//! They bound what a program must be ready to take. A provider may grant less where its
//! documentation says so, never more: who relies on more can't be moved to another provider.

/// Entries of a page (keys, blobs, containers, values of a list), where the request names no other
/// number.
pub const PAGE_ENTRIES_DEFAULT: u32 = 100;
/// Most entries of a page; a larger wish is cut to it.
pub const PAGE_ENTRIES_MAX: u32 = 1_000;
/// Length of the cursor that leads to the next page.
pub const CURSOR_BYTES_MAX: usize = 2_048;
/// Headers of a message.
pub const HEADERS_MAX: usize = 128;
/// Length of the names and values of all headers of a message.
pub const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// Limits of `mesh:http` and `mesh:http-client`.
pub mod http {
    /// Length of a method.
    pub const METHOD_BYTES_MAX: usize = 32;
    /// Length of a path, of a query, and of a URL.
    pub const URL_BYTES_MAX: usize = 8 * 1024;
    /// Length of an authority (`host:port`), of a remote address.
    pub const AUTHORITY_BYTES_MAX: usize = 512;
    /// Size of a body: what a payload of the mesh can hold beside the rest.
    pub const BODY_BYTES_MAX: usize = 63 * 1024 * 1024;
    /// Redirects that a client may be asked to follow.
    pub const REDIRECTS_MAX: u8 = 10;
}

/// Limits of `mesh:keyvalue`.
pub mod keyvalue {
    /// Length of a key, and of a prefix of keys.
    pub const KEY_BYTES_MAX: usize = 512;
    /// Size of a value: fits into one message of a NATS server as it comes, and into any store.
    pub const VALUE_BYTES_MAX: usize = 1_000_000;
    /// Size of one value of a list and of one member of a set.
    pub const ITEM_BYTES_MAX: usize = 64 * 1024;
    /// Values of a list, or members of a set, in one request.
    pub const ITEMS_MAX: usize = 1_000;
    /// Size of all values or members of one message.
    pub const ITEMS_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// Members of a set.
    pub const SET_MEMBERS_MAX: usize = 10_000;
    /// Sets that one union or intersection may name.
    pub const SETS_MAX: usize = 64;
    /// Longest life of a value that has one: about ten years.
    pub const TTL_MAX_MS: u64 = 315_360_000_000;
}

/// Limits of `mesh:messaging`.
pub mod messaging {
    /// Size of a message's body.
    pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
    /// Length of a message's identity.
    pub const ID_BYTES_MAX: usize = 256;
    /// Length of the reason of a verdict.
    pub const REASON_BYTES_MAX: usize = 1_024;
    /// Longest time after which a message may be asked for again: a day.
    pub const RETRY_AFTER_MAX_MS: u64 = 86_400_000;
}

/// Limits of `mesh:blobstore`.
pub mod blobstore {
    /// Least length of a container's name.
    pub const CONTAINER_NAME_BYTES_MIN: usize = 3;
    /// Length of a container's name.
    pub const CONTAINER_NAME_BYTES_MAX: usize = 63;
    /// Length of a blob's name, and of a prefix of names.
    pub const BLOB_NAME_BYTES_MAX: usize = 1_024;
    /// Bytes of a blob that one message carries.
    pub const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;
    /// Length of the token that stands for an upload, and of a version.
    pub const TOKEN_BYTES_MAX: usize = 1_024;
    /// Length of a content type.
    pub const CONTENT_TYPE_BYTES_MAX: usize = 256;
    /// Entries of a blob's metadata.
    pub const METADATA_ENTRIES_MAX: usize = 32;
    /// Length of all keys and values of a blob's metadata.
    pub const METADATA_BYTES_MAX: usize = 2_048;
    /// An upload that got no chunk for this long may be forgotten.
    pub const UPLOAD_IDLE_MS: u64 = 600_000;
}

/// Limits of `mesh:logging`.
pub mod logging {
    /// Length of a line's text.
    pub const TEXT_BYTES_MAX: usize = 16 * 1024;
    /// Fields of a line.
    pub const FIELDS_MAX: usize = 32;
    /// Length of a field's key.
    pub const FIELD_KEY_BYTES_MAX: usize = 128;
    /// Length of a field's value.
    pub const FIELD_VALUE_BYTES_MAX: usize = 4_096;
}

/// Limits of `mesh:random`.
pub mod random {
    /// Random bytes of one answer.
    pub const RANDOM_BYTES_MAX: u32 = 64 * 1024;
}

/// Limits of `mesh:timer`.
pub mod timer {
    /// Shortest interval.
    pub const INTERVAL_MIN_MS: u64 = 100;
    /// Longest interval: a year.
    pub const INTERVAL_MAX_MS: u64 = 31_536_000_000;
    /// Length of a cron expression.
    pub const CRON_BYTES_MAX: usize = 256;
}
