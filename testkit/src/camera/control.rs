//! Commands to a simulator over a loopback TCP port: one JSON object a line, one answer a line.
//!
//! ```json
//! {"camera": "east-gate", "do": "resolution", "width": 640, "height": 480}
//! {"do": "state"}
//! {"do": "shutdown"}
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Camera, Command};

/// Longest request.
const MAX_LINE: u64 = 4096;

/// Serves one client after the other until one says `shutdown`.
pub fn serve(listener: &TcpListener, cameras: &[Camera]) -> io::Result<()> {
    for stream in listener.incoming() {
        match stream.and_then(|stream| converse(stream, cameras)) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "control connection lost"),
        }
    }
    Ok(())
}

/// Sends one command to a simulator and returns its answer's error, if any.
pub fn tell(port: u16, request: &Value) -> io::Result<Value> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line)?;
    match answer["error"].as_str() {
        Some(error) => Err(io::Error::other(error.to_owned())),
        None => Ok(answer),
    }
}

fn converse(mut stream: TcpStream, cameras: &[Camera]) -> io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if (&mut lines).take(MAX_LINE).read_line(&mut line)? == 0 {
            return Ok(false);
        }
        let request: Value = serde_json::from_str(&line).unwrap_or_default();
        if request["do"] == "shutdown" {
            writeln!(stream, "{}", json!({"ok": true}))?;
            return Ok(true);
        }
        let answer = obey(request, cameras).unwrap_or_else(|error| json!({"ok": false, "error": error}));
        writeln!(stream, "{answer}")?;
    }
}

fn obey(mut request: Value, cameras: &[Camera]) -> Result<Value, String> {
    if request["do"] == "state" {
        return Ok(state(cameras));
    }
    let id = request.as_object_mut().and_then(|o| o.remove("camera"));
    let id = id.as_ref().and_then(Value::as_str).ok_or("write {\"camera\": ID, \"do\": COMMAND, ...}")?;
    let camera = cameras.iter().find(|c| c.id() == id).ok_or_else(|| format!("no camera `{id}`"))?;
    let command: Command = serde_json::from_value(request).map_err(|e| e.to_string())?;
    camera.apply(&command).map_err(|e| e.to_string())?;
    Ok(json!({"ok": true}))
}

/// Each camera's address and counts.
pub fn state(cameras: &[Camera]) -> Value {
    let rows =
        cameras.iter().map(|c| json!({"id": c.id(), "port": c.port(), "url": c.url(), "counts": c.counts()}));
    json!({"ok": true, "cameras": rows.collect::<Vec<_>>()})
}
