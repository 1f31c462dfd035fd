//! What is shipped to run the system: compose, manifests, the gateway.

mod compose;
mod containers;
mod gateway;
mod manifests;
mod ordered;
mod rendered;
mod settings;
