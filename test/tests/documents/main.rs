//! The documents: what they link to and name exists, what they promise to list is listed, and what they tell a reader
//! to paste prints what they say.

mod codes;
mod endpoints;
mod form;
mod links;
mod names;
mod page;
mod paste;
mod repository;
mod settings;
