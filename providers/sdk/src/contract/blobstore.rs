//! `mesh:blobstore`.

use lattice_protocol::contract::blobstore::{
    BeginPut, Blob, Blobs, Container, Containers, FinishPut, Found, Get, Info, List,
    ListContainers, Part, Put, PutChunk, Received, Upload,
};
use lattice_protocol::contract::{Empty, Existed};

super::contract_trait! {
    /// The store of one link: `mesh:blobstore`.
    BlobStore, ServedBlobStore: blobstore;
    /// Makes a container, if there is none of that name.
    create_container(CREATE_CONTAINER: Container) -> Existed;
    /// Removes a container without blobs.
    delete_container(DELETE_CONTAINER: Container) -> Existed;
    /// Tells whether there is a container of that name.
    container_exists(CONTAINER_EXISTS: Container) -> Existed;
    /// Lists the containers, in pages.
    list_containers(LIST_CONTAINERS: ListContainers) -> Containers;
    /// Writes a blob that fits into one message.
    put(PUT: Put) -> Info;
    /// Begins a blob that comes in chunks.
    begin_put(BEGIN_PUT: BeginPut) -> Upload;
    /// Takes a chunk.
    put_chunk(PUT_CHUNK: PutChunk) -> Received;
    /// Makes a blob of the chunks.
    finish_put(FINISH_PUT: FinishPut) -> Info;
    /// Forgets the chunks.
    abort_put(ABORT_PUT: Upload) -> Empty;
    /// Reads a part of a blob.
    get(GET: Get) -> Part;
    /// Describes a blob.
    info(INFO: Blob) -> Found;
    /// Lists blobs by prefix, in pages.
    list(LIST: List) -> Blobs;
    /// Removes a blob.
    delete(DELETE: Blob) -> Existed;
}
