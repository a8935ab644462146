//! What an installer typed: the address of a stream, of an ONVIF service, or of a camera. User and
//! password that were pasted with it are taken out.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use settings::Secret;

use crate::camera::RtspUrl;
use crate::discover;
use crate::discover::asked::{Behind, behind};
use crate::onvif::{self, OnvifError, address};
use crate::wording::Text;

/// Where cameras have ONVIF.
const ONVIF_PORTS: [u16; 4] = [80, 8080, 8000, 8899];
const WAIT: Duration = Duration::from_secs(3);

/// Where the camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Stream(RtspUrl),
    /// A host, with what is known of its device service.
    Device {
        host: String,
        port: Option<u16>,
        path: Option<String>,
    },
}

/// A place, and the user and password that stood with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub place: Place,
    pub credentials: Option<(String, Secret)>,
}

/// Why it is no target. None of these repeats what was typed: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error(
        "this is no address of a camera: give 192.168.1.64, http://192.168.1.64:8080 or rtsp://192.168.1.64/stream"
    )]
    Form,
    #[error(
        "the address holds a password with a special character (/ ? # @ :): leave user and password out and use --user"
    )]
    Password,
    #[error(
        "rtsps:// and https:// are not supported: give the plain address within the cameras' own network"
    )]
    Tls,
}

impl TargetError {
    pub fn text(self) -> Text {
        let zh = match self {
            Self::Form => {
                "这不是摄像机的地址：写成 192.168.1.64、http://192.168.1.64:8080 或 rtsp://192.168.1.64/stream"
            }
            Self::Password => "网址里的密码含特殊字符（/ ? # @ :）：请从网址中去掉用户名和密码，改用 --user",
            Self::Tls => "不支持 rtsps:// 和 https://：请写摄像机所在网络内的普通地址",
        };
        Text::new(zh, self.to_string())
    }
}

impl std::str::FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let full = match scheme.as_deref() {
            Some("rtsps" | "https") => return Err(TargetError::Tls),
            Some("rtsp" | "http") => text.to_owned(),
            Some(_) => return Err(TargetError::Form),
            None => format!("http://{text}"),
        };
        let (bare, taken) = address::without_credentials(&full);
        let host = address::host_of(&bare).ok_or(TargetError::Form)?;
        let authority = bare.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        let port = address::port_of(&bare);
        let has_port = !authority.starts_with('[') && authority.contains(':');
        if has_port && port.is_none() {
            // `rtsp://user:pass/word@host/` reads as a host `user` with a port `pass`.
            return Err(if bare.contains('@') { TargetError::Password } else { TargetError::Form });
        }
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
        if !host.chars().all(named) {
            return Err(TargetError::Form);
        }
        let credentials = taken.filter(|(user, _)| !user.is_empty()).map(|(u, p)| (u, Secret::new(p)));
        let place = if scheme.as_deref() == Some("rtsp") {
            let rest = bare.split_once("://").map_or("", |(_, rest)| rest);
            Place::Stream(RtspUrl::try_from(format!("rtsp://{rest}")).map_err(|_| TargetError::Form)?)
        } else {
            let rest = bare.split_once("://").map_or("", |(_, rest)| rest);
            let path = rest.find('/').map(|at| rest[at..].to_owned()).filter(|p| p != "/");
            Place::Device { host, port, path }
        };
        Ok(Self { place, credentials })
    }
}

/// The device service of a host: resolved once, so that every question goes to the one address.
pub(super) fn device_service(
    host: &str,
    port: Option<u16>,
    path: Option<&str>,
) -> Result<String, OnvifError> {
    let unreachable = |reason: String| OnvifError::Unreachable { url: host.to_owned(), reason };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let resolved = (bare, 0).to_socket_addrs().map_err(|e| unreachable(e.to_string()))?;
    let mut all: Vec<IpAddr> = resolved.map(|a| a.ip()).collect();
    all.sort_by_key(IpAddr::is_ipv6);
    let first = *all.first().ok_or_else(|| unreachable("no such host".into()))?;
    let address = onvif::in_url(first);
    let ports = port.map_or(ONVIF_PORTS.to_vec(), |port| vec![port]);
    let path = path.unwrap_or("/onvif/device_service");
    let urls: Vec<String> = ports.iter().map(|port| format!("http://{address}:{port}{path}")).collect();
    match urls.iter().find(|url| onvif::speaks(url, WAIT)) {
        Some(url) => Ok(url.clone()),
        None if port.is_some_and(|port| discover::speaks_rtsp((first, port).into())) => {
            Err(OnvifError::Rtsp { place: format!("{host}:{}", ports[0]) })
        }
        // One that was named is asked in any case, to say what is wrong with it.
        None if port.is_some() => Ok(urls[0].clone()),
        None => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let reason = format!("no answer on the ports {}", ports.join(", "));
            Err(OnvifError::NotOnvif { url: host.to_owned(), reason })
        }
    }
}

/// Why the device service at `url`, an address, could not be asked: what is behind it, where that says more.
pub(super) fn plainly(url: &str, error: &OnvifError) -> Text {
    let looked_at = match error {
        OnvifError::Unreachable { .. } | OnvifError::NotOnvif { .. } => {
            socket_of(url).and_then(|at| match behind(at, url) {
                found @ (Behind::Ssh | Behind::Silent | Behind::Other) => found.text(at),
                _ => None,
            })
        }
        _ => None,
    };
    looked_at.unwrap_or_else(|| error.text())
}

fn socket_of(url: &str) -> Option<SocketAddr> {
    let host = address::host_of(url)?;
    let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(ip, address::port_of(url)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        text.parse::<Target>().unwrap().place
    }

    #[test]
    fn addresses_streams_and_services_are_told_apart() {
        let device = |host: &str, port, path: Option<&str>| Place::Device {
            host: host.into(),
            port,
            path: path.map(str::to_owned),
        };
        assert_eq!(place("192.0.2.7"), device("192.0.2.7", None, None));
        assert_eq!(place(" cam.local:8080 "), device("cam.local", Some(8080), None));
        assert_eq!(place("http://192.0.2.7/onvif/x"), device("192.0.2.7", None, Some("/onvif/x")));
        assert_eq!(place("[fd00::5]:80"), device("[fd00::5]", Some(80), None));
        let Place::Stream(url) = place("RTSP://192.0.2.7/a?b=c") else { panic!("a stream") };
        assert_eq!(url.as_str(), "rtsp://192.0.2.7/a?b=c");
    }

    #[test]
    fn a_port_that_answers_rtsp_is_said_to() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 512]);
                let _ = stream.write_all(b"RTSP/1.0 400 Bad Request\r\n\r\n");
            }
        });
        let error = device_service("127.0.0.1", Some(port), None).unwrap_err();
        let (text, url) = (error.text(), format!("rtsp://127.0.0.1:{port}/"));
        assert!(text.zh.contains(&url) && text.en.contains(&url), "{text:?}");
    }

    #[test]
    fn what_is_no_camera_is_said_as_of_a_stream() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 512]);
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
            }
        });
        let url = format!("http://{at}/onvif/device_service");
        let reason = "http parse fail".to_owned();
        let text = plainly(&url, &OnvifError::Unreachable { url: url.clone(), reason });
        assert!(text.en.contains("is SSH") && text.zh.contains("是 SSH"), "{text:?}");
        assert!(!text.en.contains("parse fail"), "{text:?}");
        let other = plainly(&url, &OnvifError::Refused);
        assert_eq!(other.en, OnvifError::Refused.to_string());
    }

    #[test]
    fn pasted_credentials_are_taken_out_and_never_repeated() {
        let target: Target = "rtsp://admin:p%40ss@192.0.2.7:554/s".parse().unwrap();
        let (user, password) = target.credentials.clone().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("admin", "p@ss"));
        assert!(!format!("{target:?}").contains("p@ss") && !format!("{target:?}").contains("p%40ss"));
        for (text, why) in [
            ("rtsp://admin:pa/ss@192.0.2.7/s", TargetError::Password),
            ("rtsp://admin:pa?ss@192.0.2.7/s", TargetError::Password),
            ("rtsps://192.0.2.7/s", TargetError::Tls),
            ("ftp://192.0.2.7/s", TargetError::Form),
            ("", TargetError::Form),
            ("rtsp://", TargetError::Form),
            ("192.0.2.7:http", TargetError::Form),
            ("rtsp://192.0.2.7/a b", TargetError::Form),
            ("a b", TargetError::Form),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!error.to_string().contains("ss@"), "{error}");
        }
    }
}
