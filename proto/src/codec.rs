//! How messages become bytes in the gRPC services: as everywhere, but with small buffers.
//!
//! Each stream has two of them for as long as it lasts, and a master has a stream for each agent.
//! With the usual 8 KiB, ten thousand agents that say nothing would hold 160 MB of empty buffers. A
//! larger message makes its buffer larger.
//!
//! What a server is sent is weighed before it is decoded; see [`crate::weight`].

use core::marker::PhantomData;

use prost::{Message, bytes::Buf};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstDecoder, ProstEncoder};

use crate::{Described, weight};

/// The room of a buffer at first, and by which it grows, in bytes: most messages are smaller.
const ROOM: usize = 512;

/// Bytes of several small messages that leave together.
const TOGETHER: usize = 32 << 10;

/// Encodes `T` and decodes `U`.
#[derive(Clone, Debug)]
pub struct Lean<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Lean<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Lean<T, U>
where
    T: Message + 'static,
    U: Message + Default + Described + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Weighing<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::new(ROOM, TOGETHER))
    }

    fn decoder(&mut self) -> Self::Decoder {
        Weighing(ProstDecoder::new(BufferSettings::new(ROOM, TOGETHER)))
    }
}

/// Decodes what there is room for.
#[derive(Clone, Debug)]
pub struct Weighing<U>(ProstDecoder<U>);

impl<U: Message + Default + Described> Decoder for Weighing<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // What answers is trusted: it is as large as the cluster that it is about.
        if U::IS_REQUEST {
            let weighed = weight::check::<U>(buffer.chunk());
            weighed.map_err(|error| Status::out_of_range(error.to_string()))?;
        }
        self.0.decode(buffer)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

#[cfg(test)]
mod tests {
    use tonic::codec::Encoder;

    use super::*;

    #[test]
    fn a_silent_stream_holds_no_more_than_a_kilobyte_of_buffers() {
        let mut codec = Lean::<(), crate::v1::Offer>::default();
        // The settings can be printed, but not read.
        let room = format!("buffer_size: {ROOM}");
        for settings in [
            codec.encoder().buffer_settings(),
            codec.decoder().buffer_settings(),
        ] {
            assert!(format!("{settings:?}").contains(&room), "{settings:?}");
        }
        const { assert!(2 * ROOM <= 1024) };
    }
}
