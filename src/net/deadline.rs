//! Deadlines of calls, as clients give them in `grpc-timeout`.
//!
//! A call whose deadline passes ends with DEADLINE_EXCEEDED. tonic's server has a timer for it too,
//! but answers CANCELLED, which says that the client has given up; and it ends when the answer
//! begins, so that streams have no deadline. The timer here is set before that one and asks the clock
//! whenever it is polled, and so is always the one that ends a call.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, Either};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower::{Layer, Service};

/// Ends calls at their deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines;

impl<S> Layer<S> for Deadlines {
    type Service = Timed<S>;

    fn layer(&self, inner: S) -> Timed<S> {
        Timed(inner)
    }
}

/// A service whose calls end at their deadlines.
#[derive(Clone, Debug)]
pub struct Timed<S>(S);

impl<S, B> Service<Request<B>> for Timed<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let timeout = timeout(request.headers());
        // Before the call, which sets tonic's timer.
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let call = self.0.call(request);
        match deadline {
            None => Either::Left(call),
            Some(deadline) => Either::Right(Box::pin(answer_in_time(call, deadline))),
        }
    }
}

/// The answer of a call, or that its deadline has passed.
async fn answer_in_time<E>(
    call: impl Future<Output = Result<Response<Body>, E>>,
    deadline: Instant,
) -> Result<Response<Body>, E> {
    let mut call = pin!(call);
    let mut alarm = Box::pin(sleep_until(deadline));
    let answer = std::future::poll_fn(|context| {
        if let Poll::Ready(answer) = call.as_mut().poll(context) {
            return Poll::Ready(Some(answer));
        }
        if has_passed(alarm.as_mut(), context) { Poll::Ready(None) } else { Poll::Pending }
    });
    match answer.await {
        None => Ok(expired().into_http()),
        Some(answer) => Ok(answer?.map(|body| Body::new(TimedBody { body, alarm, over: false }))),
    }
}

/// Whether a deadline has passed, though its timer may not have been told yet.
fn has_passed(alarm: Pin<&mut Sleep>, context: &mut Context<'_>) -> bool {
    let deadline = alarm.deadline();
    alarm.poll(context).is_ready() || Instant::now() >= deadline
}

fn expired() -> Status {
    Status::deadline_exceeded(
        "the deadline passed before the answer was complete; the request may still take effect",
    )
}

/// The body of an answer, which ends at the deadline of its call.
struct TimedBody {
    body: Body,
    alarm: Pin<Box<Sleep>>,
    over: bool,
}

impl http_body::Body for TimedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let ends = match &frame {
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers(),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if ends || !has_passed(self.alarm.as_mut(), context) {
            return frame;
        }
        self.over = true;
        let mut trailers = HeaderMap::new();
        expired().add_header(&mut trailers).ok();
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The time that a client gives a call. What is no time is none, as with other servers.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || digits.len() > DIGITS_MAX {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// The most digits of a time, as the protocol has it.
const DIGITS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-timeout", text.parse().unwrap());
        timeout(&headers)
    }

    #[test]
    fn times_have_a_number_and_a_unit() {
        for (text, time) in [
            ("1H", Duration::from_hours(1)),
            ("2M", Duration::from_mins(2)),
            ("3S", Duration::from_secs(3)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        for text in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "123456789S", "1 S"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
