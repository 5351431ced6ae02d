//! Bytes: connections in, requests parsed, replies out. It knows HTTP and nothing of instances.
//!
//! hyper is used directly, because a simulator has to be able to end a connection without an answer.

#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming as RequestBody, SizeHint};
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::Rendered;
use super::request::Incoming;
use super::service::{Delivery, Reply};
use super::together::Together;

/// The largest request body, in bytes. The largest honest one names a hundred instances.
const LARGEST_BODY: usize = 1024 * 1024;

/// How long connections may take to end once the server is told to.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait when no connection can be accepted, for example because there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the request id is found without reading the body.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-acs-request-id");

/// How many milliseconds to wait before the next request of this kind.
const RETRY_AFTER: HeaderName = HeaderName::from_static("x-acs-retry-after");

/// How serving ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    AsAsked,
    /// An account file was changed, and another process began this memory of it anew.
    Superseded(PathBuf),
}

/// Serves until `shutdown` ends or an account is superseded, then lets requests in progress finish for a moment.
pub(super) async fn serve(
    listener: TcpListener,
    accounts: Together,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Ended> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the simulator is served on loopback only, and {address} is not: listen on 127.0.0.1"),
        ));
    }
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut superseded = pin!(accounts.superseded());
    let ended = loop {
        tokio::select! {
            () = &mut shutdown => break Ended::AsAsked,
            memory = &mut superseded => break Ended::Superseded(memory),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, accounts.clone(), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the simulator could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    };
    drop(listener);
    // Without a connection nobody listens, which is as well.
    let _ = stop.send(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        connections.shutdown().await;
    }
    Ok(ended)
}

async fn connection(stream: TcpStream, accounts: Together, mut stopping: watch::Receiver<bool>) {
    // Answers are small and awaited: they must not wait for company. A failure only costs time.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| respond(accounts.clone(), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    let stop = async { drop(stopping.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the simulator ended early");
    }
}

/// The connection is to end without an answer.
#[derive(Debug)]
struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulator hung up")
    }
}

impl Error for HangUp {}

async fn respond(accounts: Together, request: Request<RequestBody>) -> Result<Response<Answer>, HangUp> {
    let (head, body) = request.into_parts();
    let too_large = body.size_hint().lower() > LARGEST_BODY as u64;
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        _ if too_large => return Ok(payload_too_large()),
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(payload_too_large()),
        Err(_) => return Err(HangUp),
    };
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let incoming = Incoming::read(
        head.method.as_str(),
        head.uri.path(),
        head.uri.query().unwrap_or_default(),
        headers,
        &body,
    );
    let Some(service) = accounts.of(&incoming) else { return Err(HangUp) };
    let Reply { request_id, delay, delivery, at } = service.answer(incoming).await;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (rendered, torn) = match delivery {
        Delivery::Whole(rendered) => (rendered, false),
        Delivery::Torn(rendered) => (rendered, true),
        Delivery::Never => return Err(HangUp),
    };
    Ok(response(rendered, torn, &request_id, at))
}

fn payload_too_large() -> Response<Answer> {
    let mut response = Response::new(Answer::whole("The request body is larger than 1 MiB.\n".into()));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    response
}

fn response(rendered: Rendered, torn: bool, request_id: &str, at: Timestamp) -> Response<Answer> {
    let Rendered { status, content_type, body, retry_after } = rendered;
    let body = if torn { Answer::torn(body) } else { Answer::whole(body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(HeaderValue::from_str(request_id).map(|id| (REQUEST_ID, id)));
    // Rounded up, so that who obeys does not come a moment too soon.
    let wait = retry_after.map(|wait| wait.as_nanos().div_ceil(1_000_000).max(1));
    headers.extend(wait.and_then(|wait| Some((RETRY_AFTER, HeaderValue::from(u64::try_from(wait).ok()?)))));
    // The simulator's own clock, so that a client can tell how far off its own is.
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.extend(HeaderValue::from_str(&date).map(|date| (DATE, date)));
    response
}

/// The body of an answer, which may break off.
#[derive(Debug)]
struct Answer {
    announced: u64,
    next: Option<Bytes>,
    end: End,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// It breaks off, after what was written has had its chance to be sent.
    Torn {
        flushed: bool,
    },
}

impl Answer {
    fn whole(body: String) -> Self {
        Self { announced: body.len() as u64, next: Some(Bytes::from(body)), end: End::Whole }
    }

    /// The length of the whole is announced, and half of it is sent.
    fn torn(body: String) -> Self {
        let bytes = Bytes::from(body);
        let half = bytes.slice(..bytes.len() / 2);
        Self { announced: bytes.len() as u64, next: Some(half), end: End::Torn { flushed: false } }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        if let Some(bytes) = self.next.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Torn { flushed: false } => {
                self.end = End::Torn { flushed: true };
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Torn { flushed: true } => Poll::Ready(Some(Err(HangUp))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
