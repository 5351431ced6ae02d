mod plan;
mod record;
mod summary;
