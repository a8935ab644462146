//! MQTT 5 packets written by hand: clients that keep to rules do not send what is to be refused here.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::bounded;

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How a broker is reached.
#[derive(Clone)]
pub struct Dial {
    pub address: SocketAddr,
    pub tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dial {
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    pub async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
        })
    }
}

/// What a CONNECT says.
#[derive(Default)]
pub struct Hello<'a> {
    pub client: &'a [u8],
    pub login: Option<(&'a [u8], &'a [u8])>,
    pub will: Option<(&'a [u8], &'a [u8])>,
}

#[derive(Default)]
pub struct Publish<'a> {
    pub topic: &'a [u8],
    pub payload: &'a [u8],
    pub qos: u8,
    pub retain: bool,
    pub alias: Option<u16>,
}

pub struct Raw {
    stream: Box<dyn Stream>,
    next_id: u16,
}

/// A packet as it came: its type, its flags, and what follows the length.
pub struct Packet {
    pub kind: u8,
    pub flags: u8,
    pub body: Vec<u8>,
}

impl Packet {
    /// The reason of a PUBACK or PUBREC.
    pub fn reason(&self) -> u8 {
        self.body.get(2).copied().unwrap_or(0)
    }

    /// The last return code of a SUBACK: of the only filter.
    pub fn granted(&self) -> u8 {
        self.body.last().copied().unwrap_or(0xff)
    }

    /// Topic and payload of a PUBLISH without properties that matter.
    pub fn message(&self) -> (String, Vec<u8>) {
        let length = usize::from(self.body[0]) << 8 | usize::from(self.body[1]);
        let topic = String::from_utf8_lossy(&self.body[2..2 + length]).into_owned();
        let mut at = 2 + length + if self.flags & 0b110 == 0 { 0 } else { 2 };
        let properties = usize::from(self.body[at]);
        assert!(properties < 128);
        at += 1 + properties;
        (topic, self.body[at..].to_vec())
    }
}

impl Raw {
    /// The reason code of the CONNACK; `None` where the broker hung up instead.
    pub async fn hello(dial: &Dial, hello: &Hello<'_>) -> Result<Self, Option<u8>> {
        let Ok(stream) = bounded(dial.stream()).await else { return Err(None) };
        let mut raw = Self { stream, next_id: 0 };
        let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 5];
        let will = if hello.will.is_some() { 0b0010_1100 } else { 0 };
        let login = if hello.login.is_some() { 0b1100_0000 } else { 0 };
        body.extend([2 | will | login, 0, 60, 0]);
        text(&mut body, hello.client);
        if let Some((topic, payload)) = hello.will {
            body.push(0);
            text(&mut body, topic);
            text(&mut body, payload);
        }
        if let Some((user, password)) = hello.login {
            text(&mut body, user);
            text(&mut body, password);
        }
        raw.write(0x10, &body).await.map_err(|_| None)?;
        match raw.read().await {
            Some(packet) if packet.kind == 2 && packet.body[1] == 0 => Ok(raw),
            Some(packet) if packet.kind == 2 => Err(Some(packet.body[1])),
            _ => Err(None),
        }
    }

    pub async fn publish(&mut self, publish: &Publish<'_>) -> io::Result<()> {
        let mut body = Vec::new();
        text(&mut body, publish.topic);
        if publish.qos > 0 {
            body.extend(self.id().to_be_bytes());
        }
        match publish.alias {
            Some(alias) => body.extend([3, 0x23, (alias >> 8) as u8, alias as u8]),
            None => body.push(0),
        }
        body.extend(publish.payload);
        self.write(0x30 | publish.qos << 1 | u8::from(publish.retain), &body).await
    }

    pub async fn subscribe(&mut self, filter: &[u8]) -> io::Result<()> {
        let mut body = self.id().to_be_bytes().to_vec();
        body.push(0);
        text(&mut body, filter);
        body.push(1);
        self.write(0x82, &body).await
    }

    /// Acknowledges a message at QoS 1.
    pub async fn acknowledge(&mut self, packet: &Packet) -> io::Result<()> {
        let length = usize::from(packet.body[0]) << 8 | usize::from(packet.body[1]);
        let id = [packet.body[2 + length], packet.body[3 + length]];
        self.write(0x40, &id).await
    }

    /// The next packet; `None` where the broker hung up.
    pub async fn read(&mut self) -> Option<Packet> {
        bounded(self.read_on()).await
    }

    /// The same, however long it takes.
    pub async fn read_on(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Packet { kind: first >> 4, flags: first & 15, body })
    }

    fn id(&mut self) -> u16 {
        self.next_id = self.next_id % 60_000 + 1;
        self.next_id
    }

    async fn write(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        let mut packet = vec![first];
        let mut length = body.len();
        loop {
            let low = (length % 128) as u8;
            length /= 128;
            packet.push(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        packet.extend(body);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await
    }
}

fn text(body: &mut Vec<u8>, text: &[u8]) {
    body.extend((text.len() as u16).to_be_bytes());
    body.extend(text);
}
