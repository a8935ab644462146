//! What is behind a port that should be a camera's: asked once without a password, to say in plain words why there
//! is no stream.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::wording::Text;

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(2);
/// The head of an answer is enough.
const LONGEST_ANSWER: u64 = 4096;

/// What answers there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// Nothing listens.
    Closed,
    /// Something takes the connection and says nothing.
    Silent,
    Web,
    Ssh,
    /// Neither RTSP nor anything known.
    Other,
    /// RTSP that sends whoever asks elsewhere.
    Redirects,
    /// RTSP that asks for a user.
    AsksForUser,
    /// RTSP, as it should be.
    Rtsp,
}

impl Behind {
    /// Why there is no stream, where that is it.
    pub fn text(self, at: SocketAddr) -> Option<Text> {
        let (zh, en) = match self {
            Self::Closed => (
                format!("{at} 没有程序在监听：核对地址和端口（RTSP 一般是 554），并确认摄像机启用了 RTSP"),
                format!("nothing listens at {at}: check address and port (RTSP has 554 as a rule), and that RTSP is switched on at the camera"),
            ),
            Self::Silent => (
                format!("{at} 接受连接但不应答：那不像摄像机的 RTSP 端口"),
                format!("{at} takes the connection and says nothing: that is hardly the camera's RTSP port"),
            ),
            Self::Web => (
                format!("{at} 是网页（HTTP），不是视频流：RTSP 一般在 554 端口；若是摄像机的网页，可改用 camera add http://{at}"),
                format!("{at} is a web server (HTTP) and no stream: RTSP is at port 554 as a rule; if it is the camera's own page, try camera add http://{at}"),
            ),
            Self::Ssh => (
                format!("{at} 是 SSH，不是摄像机：核对地址和端口（RTSP 一般是 554）"),
                format!("{at} is SSH and no camera: check address and port (RTSP has 554 as a rule)"),
            ),
            Self::Other => (
                format!("{at} 不说 RTSP，不是摄像机的视频端口：核对地址和端口（RTSP 一般是 554）"),
                format!("{at} does not speak RTSP and is no camera's port: check address and port (RTSP has 554 as a rule)"),
            ),
            Self::Redirects => (
                "摄像机要把盒子引向另一个网址；为防止画面和密码去往别处，不会跟随。若那个网址是对的，请直接用它添加".to_owned(),
                "the camera sends the box to another url, which is not followed, so that neither pictures nor password go elsewhere; if that url is right, add the camera by it".to_owned(),
            ),
            Self::AsksForUser => (
                "摄像机要求用户名和密码：请加 --user 用户名".to_owned(),
                "the camera asks for user and password: give --user USER".to_owned(),
            ),
            Self::Rtsp => return None,
        };
        Some(Text::new(zh, en))
    }
}

/// Asks what `url` is, at an address of its host.
pub fn behind(at: SocketAddr, url: &str) -> Behind {
    let Ok(stream) = TcpStream::connect_timeout(&at, CONNECT) else { return Behind::Closed };
    let mut connection = Connection { stream, next: 1 };
    let first = connection.ask("OPTIONS", url);
    match first.as_deref() {
        Some(head) if status(head).is_some() => {
            let second = connection.ask("DESCRIBE", url);
            let codes = [Some(head), second.as_deref()].into_iter().flatten().filter_map(status);
            codes.map(of_status).find(|found| *found != Behind::Rtsp).unwrap_or(Behind::Rtsp)
        }
        Some(head) if head.starts_with("SSH-") => Behind::Ssh,
        Some(head) if is_web(head) => Behind::Web,
        Some("") | None => asks_web(at),
        Some(_) => Behind::Other,
    }
}

/// Many web servers hang up on what is no HTTP.
fn asks_web(at: SocketAddr) -> Behind {
    let Ok(stream) = TcpStream::connect_timeout(&at, CONNECT) else { return Behind::Other };
    let mut connection = Connection { stream, next: 1 };
    match connection.say(&format!("HEAD / HTTP/1.0\r\nHost: {at}\r\n\r\n")) {
        Some(head) if is_web(&head) => Behind::Web,
        Some(head) if !head.is_empty() => Behind::Other,
        _ => Behind::Silent,
    }
}

/// Some answer with a page alone to what is no HTTP.
fn is_web(head: &str) -> bool {
    let head = head.trim_start().to_ascii_lowercase();
    ["http/", "<!doctype", "<html"].iter().any(|beginning| head.starts_with(beginning))
}

fn of_status(status: u16) -> Behind {
    match status {
        300..=399 => Behind::Redirects,
        401 => Behind::AsksForUser,
        _ => Behind::Rtsp,
    }
}

/// RFC 2326, 7.1.
fn status(head: &str) -> Option<u16> {
    head.strip_prefix("RTSP/")?.split(' ').nth(1)?.parse().ok()
}

struct Connection {
    stream: TcpStream,
    next: u32,
}

impl Connection {
    fn ask(&mut self, method: &str, url: &str) -> Option<String> {
        let number = self.next;
        self.next += 1;
        self.say(&format!("{method} {url} RTSP/1.0\r\nCSeq: {number}\r\nUser-Agent: signalbox\r\n\r\n"))
    }

    /// The head of the answer, or what came before it went silent; `None` where the connection broke.
    fn say(&mut self, question: &str) -> Option<String> {
        self.stream.set_read_timeout(Some(ANSWER)).ok()?;
        self.stream.set_write_timeout(Some(ANSWER)).ok()?;
        self.stream.write_all(question.as_bytes()).ok()?;
        let mut head = Vec::new();
        let mut input = (&self.stream).take(LONGEST_ANSWER);
        let mut some = [0; 512];
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            match input.read(&mut some) {
                Ok(0) | Err(_) => break,
                Ok(more) => head.extend_from_slice(&some[..more]),
            }
            if head.starts_with(b"SSH-") {
                break;
            }
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that gives these answers in turn on each connection, and hangs up after the last.
    fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let mut rubbish = [0; 1024];
                for answer in answers {
                    if stream.read(&mut rubbish).unwrap_or(0) == 0 {
                        break;
                    }
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        at
    }

    #[test]
    fn what_is_no_camera_is_told_in_plain_words() {
        const OK: &str = "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n";
        const MOVED: &str = "RTSP/1.0 302 Moved\r\nCSeq: 1\r\nLocation: rtsp://192.0.2.9/\r\n\r\n";
        const WHO: &str = "RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\n\r\n";
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (at, expected, said) in [
            (closed, Behind::Closed, "nothing listens"),
            (server(&["HTTP/1.1 400 Bad Request\r\n\r\n"]), Behind::Web, "web server"),
            (server(&["SSH-2.0-OpenSSH_9.2\r\n"]), Behind::Ssh, "is SSH"),
            (server(&["220 mail\r\n\r\n"]), Behind::Other, "does not speak RTSP"),
            (server(&[]), Behind::Silent, "says nothing"),
            (server(&[MOVED]), Behind::Redirects, "not followed"),
            (server(&[OK, MOVED]), Behind::Redirects, "not followed"),
            (server(&[OK, WHO]), Behind::AsksForUser, "--user"),
            (server(&[OK, OK]), Behind::Rtsp, ""),
        ] {
            let found = behind(at, "rtsp://camera/stream");
            assert_eq!(found, expected);
            if let Some(text) = found.text(at) {
                assert!(text.en.contains(said) && !text.zh.is_ascii(), "{text:?}");
            }
        }
    }
}
