//! Every message of the contracts, by the name that its vectors have.

use lattice_protocol::DecodeError;
use lattice_protocol::contract::{
    Empty, Message, blobstore, http, http_client, keyvalue, logging, messaging, random, timer,
};

/// Decodes a message and encodes it again.
fn again<M: Message>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(M::decode(bytes)?.encode().unwrap())
}

macro_rules! messages {
    ($($module:ident: $($message:ident)*;)*) => {
        /// Names of all of them: module and type.
        pub const TYPES: &[&str] =
            &["Empty", $($(concat!(stringify!($module), ".", stringify!($message)),)*)*];

        /// Decodes a message of the type that `of` names, and encodes it again.
        pub fn recode(of: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
            if of == "Empty" {
                return again::<Empty>(bytes);
            }
            $($(if of == concat!(stringify!($module), ".", stringify!($message)) {
                return again::<$module::$message>(bytes);
            })*)*
            panic!("no message is of type {of}")
        }
    };
}

messages! {
    http: Request Response;
    http_client: Request Response;
    keyvalue: Key Value Set Written Existed Increment Number CompareAndSet CompareAndDelete Swapped
        Keys KeyPage ListPush ListPop Values ListRange ListPage ListRemove Length Members Contains
        SetKeys MemberList;
    messaging: Message Request Delivery Acknowledgement;
    blobstore: Container Existed ListContainers Containers Put BeginPut Upload PutChunk Received
        FinishPut Blob Info Found Get Part List Blobs;
    logging: Line;
    random: Guid BytesRequest Bytes Range Integer;
    timer: Tick;
}
