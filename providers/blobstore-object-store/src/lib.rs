//! `mesh:blobstore` on what the `object_store` crate reaches: a folder ([`fs`]) and S3 ([`s3`]).
//!
//! Both keep a tenant's blobs under `<tenant>/<container>/`, and what the mesh needs beside them
//! under `<tenant>/.mesh/`: a mark for each container, and the chunks of uploads, so that every
//! process that reaches the store can go on with an upload. `finish_put` makes a blob of the chunks,
//! which takes as long as reading and writing all of them.
//!
//! | limit | value |
//! |---|---|
//! | chunks of an upload | 10,000, and so 39 GiB of the largest |
//! | name on S3 | tenant, container and name together 1,024 bytes; a longer one is `too_large` |
//! | metadata on S3 | 2,048 bytes with what encoding adds and, where it is known, the digest |
//!
//! Uploads that got no chunk for ten minutes are removed when another one begins.

mod chunks;
mod compose;
mod containers;
mod fault;
mod folder;
pub mod fs;
mod layout;
pub mod limits;
mod objects;
pub mod s3;
mod s3_form;
mod store;
mod sweep;
