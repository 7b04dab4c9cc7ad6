//! The whole daemon in virtual time: the real agent in a pretend world.

mod far_end;
mod stories;
mod world;
