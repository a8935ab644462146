//! Whether the broker lets this box in: by the running agent's own link, else by one short connection.
//!
//! A second connection beside a running agent would look like a second box with the same key.

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};

use super::{Check, Patient, Subject};
use crate::control::Link;
use crate::identity::{Folder, Pass};
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("broker", "消息服务登录", "Broker login");
const WITHIN: Duration = Duration::from_secs(10);

pub(super) fn check(patient: &Patient) -> Check {
    if let Some(report) = &patient.report {
        return of_link(&report.link);
    }
    match options(patient) {
        Ok(options) => match try_once(options) {
            Ok(()) => SUBJECT.ok("可以登录", "the box is let in"),
            Err(error) => broken("登录失败", &error),
        },
        Err(error) => broken("没有可用的证书或密钥，无法登录", &error),
    }
}

fn of_link(link: &Link) -> Check {
    match (link.connected, &link.reason) {
        (true, _) => SUBJECT.ok("服务已连着中心", "the service is linked to the hub"),
        (false, reason) => {
            broken("服务现在没有连着中心，正在重试", reason.as_deref().unwrap_or("not linked yet; trying"))
        }
    }
}

fn broken(zh: &str, en: &str) -> Check {
    SUBJECT.broken(
        Text::new(zh, en),
        Text::new(
            "先解决上面网络、中心和证书的问题；都正常时，请中心值班员用 central-hub agent list 查看本盒子",
            "mend network, hub and certificate above first; if these are well, look at this box with `central-hub agent list`",
        ),
    )
}

/// The agent's own client id: nobody else uses it now.
fn options(patient: &Patient) -> Result<MqttOptions, String> {
    let config = &patient.config;
    let folder = Folder::look(&config.agent.data);
    let mut options = match folder.newest() {
        Ok(newest) => {
            let believed = folder.believed().map_err(|e| e.to_string())?;
            let pass = Pass::of(&newest, &believed).map_err(|e| e.to_string())?;
            let (host, port) = pass.broker();
            let mut options = MqttOptions::new(pass.agent().as_str(), host, port);
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(pass.tls.clone())));
            options
        }
        Err(_) => {
            let key = settings::Secret::read(&config.hub.key_file).map_err(|e| e.to_string())?;
            let (host, port) = config.hub.broker();
            let mut options = MqttOptions::new(config.agent.id.as_str(), host, port);
            options.set_credentials(config.agent.id.as_str(), key.expose());
            options
        }
    };
    options.set_keep_alive(Duration::from_secs(20)).set_clean_start(true);
    Ok(options)
}

/// Connects once and disconnects; says why not.
fn try_once(options: MqttOptions) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let (client, mut events) = AsyncClient::new(options, 4);
        let connected = async {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        };
        let late = |_| Err(format!("no answer within {} s", WITHIN.as_secs()));
        tokio::time::timeout(WITHIN, connected).await.unwrap_or_else(late)?;
        let _ = client.try_disconnect();
        let _ = tokio::time::timeout(Duration::from_secs(1), async { while events.poll().await.is_ok() {} })
            .await;
        Ok(())
    })
}
