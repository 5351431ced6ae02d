//! The metadata service of an ECS instance, on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A service that says which instance this is, and nothing else.
pub(crate) struct MetadataService {
    pub(crate) address: String,
    asked: Arc<AtomicUsize>,
}

impl MetadataService {
    /// Serves as long as the test process lives. Without an id it takes questions and never answers them.
    pub(crate) fn start(id: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<AtomicUsize> = Arc::default();
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                match id {
                    Some(id) => answer(stream, id),
                    None => kept.push(stream),
                }
            }
        });
        Self { address, asked }
    }

    /// How many connections came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn answer(mut stream: TcpStream, id: &str) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        request.extend_from_slice(&byte);
    }
    let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
    let has_token = request.contains("x-aliyun-ecs-metadata-token: t-1\r\n");
    let (status, body) = if request.starts_with("put /latest/api/token ") {
        ("200 OK", "t-1")
    } else if request.starts_with("get /latest/meta-data/instance-id ") && has_token {
        ("200 OK", id)
    } else {
        ("404 Not Found", "")
    };
    let length = body.len();
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
}
