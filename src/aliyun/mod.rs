//! How ECS says it: requests, signatures, answers, error codes.

pub mod credentials;
pub mod endpoint;
pub mod errors;
pub mod request;
pub mod response;
pub mod sign;
