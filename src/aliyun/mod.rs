//! How ECS says it: requests, signatures, answers, error codes.
//!
//! Everything but [`client`] with its limiter, [`sts`], [`metadata`], [`transport`] and [`credentials`] is pure. A request is built
//! ([`request`]), signed ([`sign`]) with [`credentials`] and sent to an [`endpoint`]; the answer is decoded
//! ([`response`]), judged ([`refusal`], [`errors`]) and perhaps asked for again ([`retry`]), when the limiter of its
//! action says so. [`sts`] gives credentials for others; [`transport`] is the way out, and [`surroundings`] what is
//! known of the process, and [`metadata`] the instance that it runs on. Nothing here decides what is started or stopped, and nothing outside of here knows HTTP.

pub mod client;
pub mod credentials;
pub mod endpoint;
pub mod errors;
mod limiter;
pub mod metadata;
pub mod refusal;
pub mod request;
pub mod response;
pub mod retry;
pub mod sign;
pub mod sts;
pub mod surroundings;
pub mod transport;

#[cfg(test)]
mod scripted;
