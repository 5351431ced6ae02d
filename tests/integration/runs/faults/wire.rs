//! What stands between the program and the cloud: a listener of the test's own that passes requests on, or does to
//! them what networks and proxies do.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What is done to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runs) enum Deed {
    /// It reaches the cloud, and its answer the program.
    Pass,
    /// The connection is reset before anything of it is read.
    ResetAtOnce,
    /// It is read, and the connection reset. The cloud never hears of it.
    ResetAfterRequest,
    /// It reaches the cloud, and the connection is reset in place of the answer.
    ResetBeforeAnswer,
    /// It reaches the cloud, and the program waits for an answer in vain.
    Mute,
    /// It never reaches the cloud: these bytes are the answer.
    Say(Vec<u8>),
    /// It never reaches the cloud: the answer has 100 MB, or as much of them as the program takes.
    Flood,
}

/// One request as it was seen on the way.
#[derive(Debug, Clone)]
pub(in crate::runs) struct Seen {
    pub(in crate::runs) action: String,
    /// Everything but the body.
    pub(in crate::runs) head: String,
    pub(in crate::runs) body: String,
}

/// A listener before a served simulator. It lives as long as the test's process.
#[derive(Clone)]
pub(in crate::runs) struct Wire {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// How many bytes of floods were taken.
    flooded: Arc<AtomicUsize>,
}

/// What is done to the nth request (from 1) of an action. The action is empty where nothing has been read yet: what
/// is decided then is decided for the nth connection.
type Manner = dyn Fn(&str, usize) -> Deed + Send + Sync;

impl Wire {
    /// Listens, in front of the simulator at this address.
    pub(in crate::runs) fn before(
        cloud: &str,
        manner: impl Fn(&str, usize) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let wire = Self { address, seen: Arc::default(), flooded: Arc::default() };
        let (ours, cloud) = (wire.clone(), cloud.trim_start_matches("http://").to_owned());
        let (manner, counts): (Arc<Manner>, _) = (Arc::new(manner), Arc::<Mutex<_>>::default());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (wire, cloud) = (ours.clone(), cloud.clone());
                let (manner, counts) = (Arc::clone(&manner), Arc::clone(&counts));
                // A program that went away is no failure of the wire.
                thread::spawn(move || wire.handle(stream.unwrap(), &cloud, &*manner, &counts));
            }
        });
        wire
    }

    /// A listener with no cloud behind it.
    pub(in crate::runs) fn before_nothing(
        manner: impl Fn(&str, usize) -> Deed + Send + Sync + 'static,
    ) -> Self {
        Self::before("http://127.0.0.1:1", manner)
    }

    pub(in crate::runs) fn address(&self) -> &str {
        &self.address
    }

    /// The requests that were read, in order.
    pub(in crate::runs) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many bytes of floods the program took.
    pub(in crate::runs) fn flooded(&self) -> usize {
        self.flooded.load(Ordering::SeqCst)
    }

    fn handle(
        &self,
        mut stream: TcpStream,
        cloud: &str,
        manner: &Manner,
        counts: &Mutex<HashMap<String, usize>>,
    ) -> io::Result<()> {
        let nth = |action: &str| {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(action.to_owned()).or_insert(0);
            *count += 1;
            *count
        };
        if manner("", nth("")) == Deed::ResetAtOnce {
            // What is left unread when a socket is closed makes the system reset the connection.
            return stream.peek(&mut [0]).map(|_| ());
        }
        let (request, asked) = read_but_one_byte(&mut stream)?;
        let action = asked.action.clone();
        // As it was sent, however long the manner then holds it up.
        self.seen.lock().unwrap().push(asked);
        let deed = manner(&action, nth(&action));
        let mut last = [0];
        stream.peek(&mut last)?;
        let answer = match &deed {
            Deed::Pass | Deed::ResetBeforeAnswer | Deed::Mute => ask(cloud, &request, last[0])?,
            Deed::Say(answer) => answer.clone(),
            Deed::ResetAtOnce | Deed::ResetAfterRequest | Deed::Flood => Vec::new(),
        };
        if matches!(deed, Deed::ResetAtOnce | Deed::ResetAfterRequest | Deed::ResetBeforeAnswer) {
            return Ok(());
        }
        stream.read_exact(&mut last)?;
        match deed {
            // Until the program gives up.
            Deed::Mute => stream.read_exact(&mut last),
            Deed::Flood => self.flood(&mut stream),
            _ => stream.write_all(&answer),
        }
    }

    fn flood(&self, stream: &mut TcpStream) -> io::Result<()> {
        static BLOCK: [u8; 100_000] = [b' '; 100_000];
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")?;
        for _ in 0..1000 {
            stream.write_all(&BLOCK)?;
            self.flooded.fetch_add(BLOCK.len(), Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Reads a request up to its last byte, which stays unread: to close the connection now is to reset it.
fn read_but_one_byte(stream: &mut TcpStream) -> io::Result<(Vec<u8>, Seen)> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r") {
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let mut body = vec![0; length];
    if length > 0 {
        let before = request.len() + 1;
        request.resize(before + length - 1, 0);
        stream.read_exact(&mut request[before - 1..])?;
        let mut last = [0];
        stream.peek(&mut last)?;
        body[..length - 1].copy_from_slice(&request[before..]);
        body[length - 1] = last[0];
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let first_line = head.lines().next().unwrap_or_default();
    let parameters = format!("{first_line} {body}");
    let parameter = parameters.split(['?', '&', ' ']).find_map(|pair| pair.strip_prefix("Action="));
    let action = parameter.or_else(|| header(&head, "x-acs-action")).unwrap_or_default().to_owned();
    Ok((request, Seen { action, head, body }))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Passes a request on, on a connection that ends with its answer.
fn ask(cloud: &str, request: &[u8], last: u8) -> io::Result<Vec<u8>> {
    let mut whole = request.to_vec();
    whole.push(last);
    let end_of_first_line = whole.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    whole.splice(end_of_first_line..end_of_first_line, *b"connection: close\r\n");
    let mut upstream = TcpStream::connect(cloud)?;
    upstream.write_all(&whole)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// An answer with a length, after which the connection ends.
pub(in crate::runs) fn answer(status: u16, fields: &str, body: &str) -> Deed {
    let head =
        format!("HTTP/1.1 {status} X\r\n{fields}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    Deed::Say((head + body).into_bytes())
}
