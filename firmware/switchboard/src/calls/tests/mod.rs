mod desk;
mod incoming;
mod model;
mod outgoing;
mod trouble;
