//! Reading a stream: all that is there already at once, but no more than is passed on together.

use futures::{FutureExt, StreamExt};
use tonic::{Status, Streaming};

/// Why nothing more of a stream is read.
pub(super) enum Unread {
    /// It makes no sense.
    Refused(Status),
    /// The stream broke, or what came could not be decoded.
    Broken(Status),
}

/// What was read of a stream at a time.
pub(super) struct Chunk<T> {
    pub read: Vec<T>,
    /// How many bytes are charged for all of it.
    pub weight: usize,
    /// Why nothing more can be read, if that is so.
    pub end: Option<Unread>,
}

/// Waits for something to come on a stream, and reads it with all that is there already, up to the
/// first that cannot be read; no more than is passed on together. `read` returns what it reads with
/// its weight. `None` at the end of the stream.
pub(super) async fn next_chunk<W, T>(
    stream: &mut Streaming<W>,
    mut read: impl FnMut(W) -> Result<(T, usize), Status>,
) -> Option<Chunk<T>> {
    let mut next = stream.next().await?;
    let mut chunk = Chunk { read: Vec::new(), weight: 0, end: None };
    loop {
        match next.map(&mut read) {
            Ok(Ok((one, weight))) => {
                chunk.read.push(one);
                chunk.weight += weight;
            }
            Ok(Err(status)) => chunk.end = Some(Unread::Refused(status)),
            Err(status) => chunk.end = Some(Unread::Broken(status)),
        }
        let is_full = chunk.read.len() >= READ_AT_ONCE || chunk.weight >= READ_AT_ONCE_BYTES;
        if is_full || chunk.end.is_some() {
            return Some(chunk);
        }
        match stream.next().now_or_never() {
            Some(Some(more)) => next = more,
            // The end of the stream is there when it is asked for again.
            Some(None) | None => return Some(chunk),
        }
    }
}

/// How much of a stream is passed on together, where it comes together.
const READ_AT_ONCE: usize = 128;

/// And how much of it by weight: what is read has yet to be charged.
const READ_AT_ONCE_BYTES: usize = 128 << 10;
