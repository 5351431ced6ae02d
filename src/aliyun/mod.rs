//! How ECS says it: requests, signatures, answers, error codes.

pub mod sign;
