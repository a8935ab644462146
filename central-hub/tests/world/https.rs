//! A small HTTPS client: one request a connection, from any address of 127.0.0.0/8.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub async fn dial(port: u16, from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if from != HERE {
        socket.bind(SocketAddr::from((from, 0)))?;
    }
    socket.connect(SocketAddr::from((HERE, port))).await
}

/// By the name that boxes know the hub by.
pub async fn shake_hands(
    port: u16,
    from: Ipv4Addr,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("signalbox-hub").unwrap();
    TlsConnector::from(config).connect(name, dial(port, from).await?).await
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of a refusal; empty where it is none.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub async fn send(
    port: u16,
    from: Ipv4Addr,
    config: Arc<ClientConfig>,
    head: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let mut stream = shake_hands(port, from, config).await?;
    let length = body.len();
    let text =
        format!("{head}\r\nHost: signalbox-hub\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    // An end without a goodbye is an end as well: the length is checked below.
    match stream.read_to_end(&mut answer).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Err(error) => return Err(error),
    }
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off");
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(broken)?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.get(9..12).and_then(|s| s.parse().ok()).ok_or_else(broken)?;
    let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let body = answer[end + 4..].to_vec();
    if length.is_some_and(|n| n != body.len()) {
        return Err(broken());
    }
    Ok(Answer { status, body })
}
