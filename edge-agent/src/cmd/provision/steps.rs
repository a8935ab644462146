//! The steps themselves. Each says its own end; its failure says what to do.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::enrol::Enrolment;
use settings::chinese;
use tokio::net::TcpStream;

use super::failing::{self, disk};
use super::invitation::Invitation;
use super::report::{Failure, Report, Stage};
use crate::config::Config;
use crate::doctor;
use crate::hub::{Hub, HubError};
use crate::identity::{Folder, Home, IdentityError, Pass, Recognition, Sealing, first_contact, now_seconds};
use crate::service::by_hand::{Act, keep_time};
use crate::uplink;
use crate::wording::{Text, lasting};

const CONNECT: Duration = Duration::from_secs(5);
/// A clock that is further off than this is worth a word.
const CLOCK_OFF_SECONDS: i64 = 60;

/// The data folder, alone; `None` if a provisioned agent runs there and nothing is to be changed.
pub fn take_folder(data: &Path, again: bool, report: &Report) -> Result<Option<Folder>, Failure> {
    let made = std::fs::create_dir_all(data).map_err(|source| IdentityError::File {
        doing: "making",
        path: data.to_owned(),
        source,
    });
    match made.and_then(|()| Folder::hold(data)) {
        Ok(folder) => {
            doctor::room_to_begin(data).map_err(|why| {
                let what = Text::new("数据目录写不进去", "nothing can be written into the data folder");
                let cure = Text::new(
                    "清理磁盘，或换一个目录（--data）",
                    "free space, or name another folder by --data",
                );
                Failure::because(Stage::Data, what, why, cure)
            })?;
            let shown = data.display().to_string();
            report.ok(Stage::Data, &Text::new(shown.clone(), shown));
            Ok(Some(folder))
        }
        Err(IdentityError::Busy { .. }) if !again && Folder::look(data).newest().is_ok() => Ok(None),
        Err(error @ IdentityError::Busy { .. }) => {
            let what = Text::new("盒子端正在运行", "the agent is running");
            Err(Failure::because(Stage::Data, what, failing::reason(&error), Act::Stop.here()))
        }
        Err(error) => Err(failing::no_folder(data, &error)),
    }
}

/// A box on its way in.
pub struct Enrolling<'a> {
    folder: &'a Folder,
    invitation: Invitation,
}

/// The hub as it was recognised.
pub struct Door {
    hub: Hub,
    recognition: Arc<Recognition>,
}

impl<'a> Enrolling<'a> {
    pub fn new(folder: &'a Folder, invitation: Invitation) -> Self {
        Self { folder, invitation }
    }

    /// The key of a run that stopped is used again: the hub knows it by that.
    pub fn key(&self, report: &Report) -> Result<u32, Failure> {
        let waiting = self.folder.waiting_key().filter(|n| self.folder.read_key(*n).is_ok());
        let (number, made) = match waiting {
            Some(number) => (number, false),
            None => (self.folder.make_key().map_err(|e| disk(Stage::Key, &e))?.0, true),
        };
        // Whatever step comes to be the last: nothing of root's is left in the service's folder.
        self.folder.hand_over().map_err(|e| disk(Stage::Key, &e))?;
        let sealed = self.folder.sealing_of(number) == Some(Sealing::Chip);
        let kept = if sealed {
            ("由本机 TPM 加密保存", "kept encrypted by this box's TPM")
        } else {
            (
                "保存在仅属主可读的文件中，未用 TPM",
                "kept in a file that only its owner can read; no TPM is used",
            )
        };
        let (zh, en) = if made { ("新建", "made") } else { ("沿用上次的", "the one of the last try") };
        report.ok(Stage::Key, &Text::new(format!("{zh}；{}", kept.0), format!("{en}; {}", kept.1)));
        Ok(number)
    }

    /// Name and TCP connection.
    pub async fn reach(&self, report: &Report) -> Result<(), Failure> {
        let address = self.invitation.hub.trim_start_matches("https://");
        let found = tokio::net::lookup_host(address).await.map_err(|e| failing::no_name(address, &e))?;
        let mut why = Text::new(format!("{address}：没有地址"), format!("{address}: no address"));
        for to in found {
            why = match tokio::time::timeout(CONNECT, TcpStream::connect(to)).await {
                Ok(Ok(_)) => {
                    report.ok(Stage::Reach, &Text::new(to.to_string(), to.to_string()));
                    return Ok(());
                }
                Ok(Err(error)) => {
                    Text::new(format!("{to}：{}", chinese::of_io(&error)), format!("{to}: {error}"))
                }
                Err(_) => {
                    let long = CONNECT.as_secs();
                    Text::new(
                        format!("{to}：{long} 秒内没有应答"),
                        format!("{to}: no answer within {long} s"),
                    )
                }
            }
        }
        Err(failing::not_reached(address, why))
    }

    /// TLS, by the fingerprint in the token; and a look at the clocks.
    pub async fn recognise(&self, report: &Report) -> Result<Door, Failure> {
        let internal = |why: String| {
            Failure::new(
                Stage::Recognise,
                Text::new("无法建立 TLS", "TLS cannot be set up"),
                why,
                Text::new("升级程序后重试", "update the program and try again"),
            )
        };
        let (tls, recognition) =
            first_contact(self.invitation.token.authority).map_err(|e| internal(e.to_string()))?;
        let hub = Hub::new(&self.invitation.hub, &tls).map_err(|e| internal(e.to_string()))?;
        // Without a certificate the hub refuses; that it answers at all is what is asked for.
        let begun = Instant::now();
        let hub_time = match hub.trust().await {
            Ok(told) => told.hub_time,
            Err(HubError::Refused { hub_time, .. }) => hub_time,
            Err(error) => {
                return Err(failing::unrecognised(&error, recognition.stranger(), begun.elapsed()));
            }
        };
        report.ok(Stage::Recognise, &Text::new("指纹与令牌一致", "its fingerprint is the token's"));
        warn_of_clock(hub_time, report);
        Ok(Door { hub, recognition })
    }

    pub async fn redeem(&self, door: &Door, key: u32, report: &Report) -> Result<Enrolment, Failure> {
        let csr = self.folder.read_key(key).and_then(|k| Ok(k.signing_request()?));
        let csr = csr.map_err(|e| disk(Stage::Certificate, &e))?;
        let secret = self.invitation.token.secret_hex();
        let own = self.folder.is_of_token(&secret) == Some(true);
        let begun = Instant::now();
        let told = door.hub.redeem(secret, csr).await;
        let answer = told.map_err(|error| failing::refused(&error, own, begun.elapsed()))?.answer;
        let until = answer.not_after.to_string();
        let until = until.get(..10).unwrap_or(&until);
        report.ok(
            Stage::Certificate,
            &Text::new(
                format!("{}/{}，有效至 {until}", answer.site, answer.agent),
                format!("{}/{}, until {until}", answer.site, answer.agent),
            ),
        );
        Ok(answer)
    }

    pub fn write(
        &self,
        door: &Door,
        key: u32,
        answer: &Enrolment,
        settings: Option<&Config>,
        report: &Report,
    ) -> Result<(), Failure> {
        let fail = |e: IdentityError| disk(Stage::Write, &e);
        let before = self.folder.newest().ok().map(|g| g.home.hub);
        self.folder.note_token(key, &self.invitation.token.secret_hex()).map_err(fail)?;
        self.folder.keep(key, answer, &self.invitation.hub, true).map_err(fail)?;
        if before.is_some_and(|hub| hub != self.invitation.hub) {
            self.folder.forget_hub().map_err(fail)?;
        }
        if let Some(issued) = door.recognition.believe_shown() {
            self.folder.note_hub_certificate(issued).map_err(fail)?;
        }
        self.folder.hand_over().map_err(fail)?;
        let home = self.folder.newest().map_err(fail)?.home;
        agree(settings, &home, Stage::Write)?;
        let at = self.folder.path().display().to_string();
        report.ok(Stage::Write, &Text::new(at.clone(), at));
        Ok(())
    }
}

/// With the certificate that is on disk, as the agent will do it.
pub async fn broker(folder: &Folder, settings: Option<&Config>, report: &Report) -> Result<Home, Failure> {
    // Once more: a run may have stopped just before it gave its files away.
    folder.hand_over().map_err(|e| disk(Stage::Broker, &e))?;
    let newest = folder.newest().map_err(|e| disk(Stage::Broker, &e))?;
    agree(settings, &newest.home, Stage::Broker)?;
    let pass = folder.believed().and_then(|believed| Pass::of(&newest, &believed));
    let pass = pass.map_err(|e| disk(Stage::Broker, &e))?;
    uplink::probe(&pass).await.map_err(|error| {
        Failure::new(
            Stage::Broker,
            Text::new("用证书连不上消息服务", "the broker is not reached with the certificate"),
            format!("{}: {error}", newest.home.mqtt),
            Text::new(
                "检查防火墙是否放行该端口、中心是否在运行、证书是否被吊销（central-hub agent list），然后再运行一次",
                "check that the firewall lets this port through, that the hub runs, that the certificate was not revoked (central-hub agent list); then run this again",
            ),
        )
    })?;
    report.ok(Stage::Broker, &Text::new(newest.home.mqtt.clone(), newest.home.mqtt.clone()));
    Ok(newest.home)
}

fn agree(settings: Option<&Config>, home: &Home, stage: Stage) -> Result<(), Failure> {
    settings.map_or(Ok(()), |s| s.agrees_with(home)).map_err(|why| {
        Failure::because(
            stage,
            Text::new("配置文件与证书不一致", "the settings say something else than the certificate"),
            why.0,
            Text::new("改正配置文件，再运行一次", "mend the settings and run this again"),
        )
    })
}

fn warn_of_clock(hub_time: Option<i64>, report: &Report) {
    let Some(off) = hub_time.map(|at| now_seconds().saturating_sub(at)) else { return };
    if off.abs() <= CLOCK_OFF_SECONDS {
        return;
    }
    let (zh, en) = if off > 0 { ("快", "ahead of") } else { ("慢", "behind") };
    let (long, keep) = (lasting(off.unsigned_abs()), keep_time());
    report.warning(&Text::new(
        format!("本盒时钟比中心{zh} {}；告警会带错时间；{}", long.zh, keep.zh),
        format!(
            "this box's clock is {} {en} the hub's; alerts would carry wrong times; {}",
            long.en, keep.en
        ),
    ));
}
