//! Asking a camera by ONVIF: who it is, what time it has, which streams it offers.
//!
//! Owns the order of the questions, the care with the password, and what foreign addresses in answers
//! become. SOAP and its types are `oxvif`'s; how a request travels is `transport`'s. Nothing is ever
//! changed on the camera.
//!
//! Care: everything is asked at the address that was reached, never elsewhere. The time is asked first,
//! without a password, so that a camera whose clock is wrong is not given a password of another time,
//! which it would take for a wrong one. The first refusal ends it: cameras lock accounts.

pub mod address;
mod digest;
#[cfg(test)]
mod tests;
mod transport;
pub mod xml;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use oxvif::OnvifClient;
use oxvif::soap::SoapError;
use oxvif::types::VideoEncoding;
use serde::Serialize;

use crate::camera::Credentials;
use crate::wording::{Text, plain};
use transport::{Failure, Patience, Pinned};

/// Where ONVIF says the device service is.
const DEVICE_PATH: &str = "/onvif/device_service";
/// What no web page contains.
const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Most profiles that are looked at.
const MOST_PROFILES: usize = 16;
/// Most letters of a name.
const LONGEST: usize = 80;
const PATIENCE: Patience = Patience { answer: Duration::from_secs(8), visit: Duration::from_secs(30) };

/// What a camera says about itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Device {
    pub manufacturer: String,
    pub model: String,
    pub firmware: String,
    /// By how many seconds its clock is ahead of ours.
    pub clock_ahead_s: Option<i64>,
    /// The largest picture first.
    pub profiles: Vec<Profile>,
    pub notes: Vec<Text>,
}

/// One stream it offers. Sizes and rates are what it declares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    pub token: String,
    pub name: String,
    pub encoding: Option<String>,
    pub size: Option<(u32, u32)>,
    pub fps: Option<f32>,
    /// Without credentials, at the address that was reached.
    pub url: String,
}

/// Why a camera could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OnvifError {
    #[error("{url} can't be reached: check power, cable and address ({reason})")]
    Unreachable { url: String, reason: String },
    #[error(
        "{url} does not speak ONVIF ({reason}): enable ONVIF at the camera, or give the rtsp:// url of its stream"
    )]
    NotOnvif { url: String, reason: String },
    #[error(
        "{place} answers RTSP and not ONVIF: give the rtsp:// url of its stream, for example rtsp://{place}/stream1 (its manual names the path)"
    )]
    Rtsp { place: String },
    #[error("the camera asks for a user and a password: give --user")]
    NeedsPassword,
    #[error(
        "the camera refuses user or password; nothing more is tried, because cameras lock accounts after a few wrong ones: check both at the camera (many have ONVIF users of their own)"
    )]
    Refused,
    #[error(
        "the camera would take the password only in the open (HTTP Basic): allow Digest at the camera, or give the rtsp:// url of its stream"
    )]
    BasicOnly,
    #[error("the camera offers no stream by ONVIF: give the rtsp:// url of its stream")]
    NoStream,
}

impl OnvifError {
    /// What it means, in both languages.
    pub fn text(&self) -> Text {
        let zh = match self {
            Self::Unreachable { url, .. } => format!("连不上 {url}：检查电源、网线和地址"),
            Self::NotOnvif { url, .. } => {
                format!("{url} 不提供 ONVIF：请在摄像机上启用 ONVIF，或直接给出视频流的 rtsp:// 网址")
            }
            Self::Rtsp { place } => format!(
                "{place} 应答的是 RTSP 而不是 ONVIF：请给出视频流的 rtsp:// 网址，例如 rtsp://{place}/stream1（路径见摄像机说明书）"
            ),
            Self::NeedsPassword => "摄像机要求用户名和密码：请加 --user".to_owned(),
            Self::Refused => "摄像机拒绝了用户名或密码；为避免账号被锁定，不再尝试。请在摄像机上核对（许多摄像机的 ONVIF 用户是单独设置的）".to_owned(),
            Self::BasicOnly => "摄像机只接受明文密码（HTTP Basic）：请在摄像机上启用 Digest，或直接给出视频流的 rtsp:// 网址".to_owned(),
            Self::NoStream => "摄像机没有通过 ONVIF 提供视频流：请直接给出视频流的 rtsp:// 网址".to_owned(),
        };
        Text::new(zh, self.to_string())
    }
}

/// The usual address of the device service.
pub fn device_url(address: Ipv4Addr, port: u16) -> String {
    match port {
        80 => format!("http://{address}{DEVICE_PATH}"),
        _ => format!("http://{address}:{port}{DEVICE_PATH}"),
    }
}

/// Whether ONVIF answers there; asks only for the time, which needs no password.
pub fn speaks(url: &str, wait: Duration) -> bool {
    const ASK: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>\
        <GetSystemDateAndTime xmlns=\"http://www.onvif.org/ver10/device/wsdl\"/></s:Body></s:Envelope>";
    transport::post(&transport::agent(wait), url, "", ASK, None)
        // A fault is an answer as well: some want a password even for the time.
        .is_ok_and(|answer| answer.body.contains(SOAP) && xml::is_tame(&answer.body))
}

/// Asks the camera whose device service is at `url`, a host of which is an address.
pub fn look(url: &str, credentials: Option<&Credentials>) -> Result<Device, OnvifError> {
    look_within(url, credentials, PATIENCE)
}

fn look_within(
    url: &str,
    credentials: Option<&Credentials>,
    patience: Patience,
) -> Result<Device, OnvifError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime =
        runtime.map_err(|e| OnvifError::Unreachable { url: url.to_owned(), reason: e.to_string() })?;
    runtime.block_on(Visit::new(url, credentials, patience).ask())
}

/// One conversation.
struct Visit<'a> {
    url: &'a str,
    host: String,
    port: Option<u16>,
    credentials: Option<&'a Credentials>,
    transport: Arc<Pinned>,
    notes: Vec<Text>,
}

impl<'a> Visit<'a> {
    fn new(url: &'a str, credentials: Option<&'a Credentials>, patience: Patience) -> Self {
        let host = address::host_of(url).unwrap_or_default();
        let port = address::port_of(url);
        let transport = Arc::new(Pinned::new(&host, credentials.cloned(), patience));
        Self { url, host, port, credentials, transport, notes: Vec::new() }
    }

    async fn ask(mut self) -> Result<Device, OnvifError> {
        let anonymous = OnvifClient::new(self.url).with_transport(self.transport.without_password());
        let clock_ahead_s = match anonymous.get_system_date_and_time().await {
            Ok(time) => time.utc_unix.map(|_| time.utc_offset_secs()),
            Err(error) => match self.why(&error) {
                // Some ask for a password even here.
                OnvifError::NeedsPassword | OnvifError::Refused | OnvifError::BasicOnly => None,
                other => return Err(other),
            },
        };
        let mut client = OnvifClient::new(self.url).with_transport(self.transport.clone());
        if let Some(Credentials { user, password }) = self.credentials {
            client = client
                .with_credentials(user, password.expose())
                .with_utc_offset(clock_ahead_s.unwrap_or_default());
        }
        let info = client.get_device_info().await.map_err(|e| self.why(&e))?;
        let mut profiles = self.profiles(&client).await?;
        profiles.sort_by_key(|p| std::cmp::Reverse(p.size.map(|(w, h)| u64::from(w) * u64::from(h))));
        Ok(Device {
            manufacturer: plain(&info.manufacturer, LONGEST),
            model: plain(&info.model, LONGEST),
            firmware: plain(&info.firmware_version, LONGEST),
            clock_ahead_s,
            profiles,
            notes: self.notes,
        })
    }

    /// By Media1, which nearly all have; by Media2 where that gives none.
    async fn profiles(&mut self, client: &OnvifClient) -> Result<Vec<Profile>, OnvifError> {
        let (first, second) = self.media_services(client).await?;
        let mut last = OnvifError::NoStream;
        for (service, is_second) in [(first, false), (second, true)] {
            let Some(service) = service else { continue };
            let found = match is_second {
                false => self.by_media1(client, &service).await,
                true => self.by_media2(client, &service).await,
            };
            match found {
                Ok(profiles) if !profiles.is_empty() => return Ok(profiles),
                Ok(_) => {}
                Err(error @ (OnvifError::Refused | OnvifError::NeedsPassword)) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn media_services(
        &mut self,
        client: &OnvifClient,
    ) -> Result<(Option<String>, Option<String>), OnvifError> {
        let (mut first, mut second) = (None, None);
        match client.get_services().await {
            Ok(services) => {
                let find =
                    |part: &str| services.iter().find(|s| s.namespace.contains(part)).map(|s| s.url.clone());
                (first, second) = (find("ver10/media/wsdl"), find("ver20/media/wsdl"));
            }
            Err(error) => {
                if let refused @ (OnvifError::Refused | OnvifError::NeedsPassword) = self.why(&error) {
                    return Err(refused);
                }
            }
        }
        if first.is_none() && second.is_none() {
            let capabilities = client.get_capabilities().await.map_err(|e| self.why(&e))?;
            (first, second) = (capabilities.media.url, None);
        }
        let port = Some(self.port.unwrap_or(80));
        let mut own = |url: String| self.own(&url, port);
        let first = first.map(&mut own);
        Ok((first, second.map(own)))
    }

    async fn by_media1(&mut self, client: &OnvifClient, service: &str) -> Result<Vec<Profile>, OnvifError> {
        let all = client.get_profiles(service).await.map_err(|e| self.why(&e))?;
        let mut found = Vec::new();
        for profile in all.iter().take(MOST_PROFILES) {
            let uri = client.get_stream_uri(service, &profile.token).await.map(|answer| answer.uri);
            let Some(url) = self.stream(uri)? else { continue };
            found.push((profile, url));
        }
        // Asked last: some users may not, and what is missing here is measured later.
        let encoders = client.get_video_encoder_configurations(service).await.unwrap_or_default();
        let described = found.into_iter().map(|(profile, url)| {
            let encoder = encoders.iter().find(|e| Some(&e.token) == profile.video_encoder_token.as_ref());
            Profile {
                token: plain(&profile.token, LONGEST),
                name: plain(&profile.name, LONGEST),
                encoding: encoder.map(|e| name_of(&e.encoding)),
                size: encoder.map(|e| (e.resolution.width, e.resolution.height)),
                fps: encoder.and_then(|e| e.rate_control.as_ref()).map(|r| r.frame_rate_limit as f32),
                url,
            }
        });
        Ok(described.collect())
    }

    async fn by_media2(&mut self, client: &OnvifClient, service: &str) -> Result<Vec<Profile>, OnvifError> {
        let all = client.get_profiles_media2(service).await.map_err(|e| self.why(&e))?;
        let mut found = Vec::new();
        for profile in all.iter().take(MOST_PROFILES) {
            let uri = client.get_stream_uri_media2(service, &profile.token).await;
            let Some(url) = self.stream(uri)? else { continue };
            found.push((profile, url));
        }
        let encoders = client.get_video_encoder_configurations_media2(service).await.unwrap_or_default();
        let described = found.into_iter().map(|(profile, url)| {
            let encoder = encoders.iter().find(|e| Some(&e.token) == profile.video_encoder_token.as_ref());
            Profile {
                token: plain(&profile.token, LONGEST),
                name: plain(&profile.name, LONGEST),
                encoding: encoder.map(|e| name_of(&e.encoding)),
                size: encoder.map(|e| (e.resolution.width, e.resolution.height)),
                fps: None,
                url,
            }
        });
        Ok(described.collect())
    }

    /// An address of a stream, if the answer holds one; an error where the password was refused.
    fn stream(&mut self, uri: Result<String, oxvif::OnvifError>) -> Result<Option<String>, OnvifError> {
        let uri = match uri.map_err(|e| self.why(&e)) {
            Ok(uri) => uri,
            Err(refused @ (OnvifError::Refused | OnvifError::NeedsPassword)) => return Err(refused),
            Err(_) => return Ok(None),
        };
        let url = self.own(uri.trim(), None);
        let is_own = address::host_of(&url).as_deref() == Some(&self.host);
        Ok(crate::camera::RtspUrl::try_from(url.clone()).ok().filter(|_| is_own).map(|_| url))
    }

    fn own(&mut self, url: &str, port: Option<u16>) -> String {
        let (url, note) = address::at_reached(url, &self.host, port);
        if let Some(note) = note.filter(|note| !self.notes.contains(note)) {
            self.notes.push(note);
        }
        url
    }

    fn why(&self, error: &oxvif::OnvifError) -> OnvifError {
        let url = self.url.to_owned();
        let anonymous = self.credentials.is_none();
        match self.transport.failure() {
            Some(Failure::Refused) => return OnvifError::Refused,
            Some(Failure::NeedsPassword) => return OnvifError::NeedsPassword,
            Some(Failure::BasicOnly) => return OnvifError::BasicOnly,
            Some(Failure::Connection(reason)) => return OnvifError::Unreachable { url, reason },
            Some(Failure::Answer(reason)) => return OnvifError::NotOnvif { url, reason },
            None => {}
        }
        match error {
            oxvif::OnvifError::Soap(SoapError::Fault { code, reason, subcode, .. }) => {
                let said = format!("{code} {} {reason}", subcode.as_deref().unwrap_or_default());
                match (transport::is_about_password(&said), anonymous) {
                    (true, true) => OnvifError::NeedsPassword,
                    (true, false) => OnvifError::Refused,
                    (false, _) => OnvifError::NotOnvif { url, reason: plain(reason, LONGEST) },
                }
            }
            other => OnvifError::NotOnvif { url, reason: plain(&other.to_string(), LONGEST) },
        }
    }
}

fn name_of(encoding: &VideoEncoding) -> String {
    match encoding {
        VideoEncoding::Jpeg => "JPEG".into(),
        VideoEncoding::H264 => "H.264".into(),
        VideoEncoding::H265 => "H.265".into(),
        VideoEncoding::Other(name) => plain(name, 20),
    }
}

/// A host as it stands in an address.
pub fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}
