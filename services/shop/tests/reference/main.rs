//! The description of /v1: it is committed as it is served, it tells of all that is served and of nothing else, and
//! nothing in it ever disappears.

mod committed;
mod grown;
mod served;
