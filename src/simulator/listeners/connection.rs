//! What who connects to a machine is given.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::simulator::account::Manner;

/// How long to wait when no connection can be accepted, for example because there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Takes in connections for as long as it is let; dropped, it ends them all.
pub(super) async fn accept(socket: TcpListener, manner: Manner) {
    let manner = Arc::new(manner);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&manner)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a simulated machine could not accept a connection");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, manner: Arc<Manner>) {
    match &*manner {
        Manner::Silent => listen_only(stream).await,
        Manner::Http { .. } => {
            let answer =
                service_fn(|request| std::future::ready(Ok::<_, Infallible>(respond(&manner, &request))));
            let connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a simulated machine ended early");
            }
        }
    }
}

/// Reads until the other side has said everything, and says nothing.
async fn listen_only(mut stream: TcpStream) {
    let mut heard = [0; 1024];
    while stream.read(&mut heard).await.is_ok_and(|bytes| bytes > 0) {}
}

fn respond(manner: &Manner, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, text) = match manner {
        Manner::Http { path, status, body } if request.uri().path() == path => (*status, body.as_str()),
        _ => (404, "not found"),
    };
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    response
}
