//! How messages are read from the transport's buffer, and written into it.
//!
//! As tonic's own codec does, but that a message is read from the one piece that it lies in. Read from
//! the buffer itself, every byte of every number moves the buffer's own bounds.

use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstEncoder};

/// Writes `W` and reads `R`.
#[derive(Clone, Debug)]
pub struct PieceCodec<W, R>(PhantomData<(W, R)>);

impl<W, R> Default for PieceCodec<W, R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<W, R> Codec for PieceCodec<W, R>
where
    W: Message + Send + 'static,
    R: Message + Default + Send + 'static,
{
    type Encode = W;
    type Decode = R;
    type Encoder = ProstEncoder<W>;
    type Decoder = PieceDecoder<R>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<W, R>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        PieceDecoder(PhantomData)
    }
}

/// Reads `R`.
#[derive(Clone, Debug)]
pub struct PieceDecoder<R>(PhantomData<R>);

impl<R: Message + Default> Decoder for PieceDecoder<R> {
    type Item = R;
    type Error = Status;

    /// Every call that is open has a buffer, whether or not anything has come on it: a small one, which
    /// grows with what comes.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(READ_BUFFER, YIELD_THRESHOLD)
    }

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<R>, Status> {
        let len = buffer.remaining();
        let read = match buffer.chunk().get(..len) {
            Some(piece) => {
                let read = R::decode(piece);
                buffer.advance(len);
                read
            }
            None => R::decode(buffer),
        };
        read.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// What a call has to read into at first, in bytes.
const READ_BUFFER: usize = 1 << 10;

/// What only matters to what is written, in bytes: as by default.
const YIELD_THRESHOLD: usize = 32 << 10;
