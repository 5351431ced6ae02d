//! How ECS says it: requests, signatures, answers, error codes.
//!
//! Everything but [`client`] and its limiter is pure. A request is built ([`request`]), signed ([`sign`]) with [`credentials`], sent to
//! an [`endpoint`]; the answer is decoded ([`response`]), judged ([`refusal`], [`errors`]) and perhaps asked for again
//! ([`retry`]), when the limiter of its action says so. Nothing here decides what is started or stopped, and nothing outside of here knows HTTP.

pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod errors;
mod limiter;
pub mod refusal;
pub mod request;
pub mod response;
pub mod retry;
pub mod sign;
