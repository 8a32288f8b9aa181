//! Says hello over HTTP, as the actor `hello` does: a component of wasi:http 0.2.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Hello;

impl Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("a response has one body");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("a body has one stream");
        stream.blocking_write_and_flush(b"hello").expect("the body takes a word");
        drop(stream);
        OutgoingBody::finish(body, None).expect("the body ends");
    }
}

wasip2::http::proxy::export!(Hello);
