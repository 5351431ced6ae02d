//! powerform: plan and apply for the power states of Alibaba Cloud ECS instances.

pub mod aliyun;
pub mod cli;
pub mod cloud;
pub mod config;
pub mod execute;
pub mod fleet;
pub mod observe;
pub mod plan;
pub mod reconcile;
pub mod render;
pub mod simulator;
pub mod state;
