//! The Signalbox hub: broker, ingest, store, HTTP API, wall.
//!
//! Data flows one way: broker -> ingest -> store -> feed -> wall. The rules that need no socket or
//! clock live in hub-core.

pub mod agent_api;
pub mod audit;
pub mod broker;
pub mod broker_rules;
pub mod ca;
pub mod cli;
pub mod clock;
pub mod config;
pub mod configs;
pub mod credential;
pub mod door;
pub mod evidence;
pub mod exchange;
pub mod hubs;
pub mod incidents;
pub mod ingest;
pub mod live;
pub mod minutes;
pub mod people;
pub mod places;
pub mod ports;
pub mod refusals;
pub mod retention;
pub mod run;
pub mod seal;
pub mod service;
pub mod still;
pub mod store;
pub mod totp;
pub mod uptime;
pub mod uuid;
pub mod web;
pub mod webhooks;
pub mod work;
