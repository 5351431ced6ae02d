//! powerform: plan and apply for the power states of Alibaba Cloud ECS instances.

pub mod aliyun;
pub mod cloud;
pub mod config;
pub mod execute;
pub mod fleet;
pub mod plan;
pub mod render;
