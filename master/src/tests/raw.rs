//! A client that sends whatever bytes it is given as a message.

use std::net::SocketAddr;

use tokio_stream::StreamExt;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
};

use super::{clients, soon};

/// How the call ends when these bytes are its only message.
pub(super) async fn send(address: SocketAddr, path: &'static str, bytes: &[u8]) -> Status {
    let mut client = Grpc::new(clients::channel(address).await);
    client.ready().await.unwrap();
    let message = bytes.to_vec();
    let messages = tokio_stream::once(message).chain(tokio_stream::pending());
    let path = PathAndQuery::from_static(path);
    let response = soon(client.streaming(Request::new(messages), path, Bytes)).await;
    let mut answers = match response {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match soon(answers.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::ok(""),
            Err(status) => return status,
        }
    }
}

#[derive(Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = prost::bytes::Buf::remaining(buffer);
        Ok(Some(
            prost::bytes::Buf::copy_to_bytes(buffer, length).to_vec(),
        ))
    }
}
