//! `edge-agent discover`: which cameras there are, and which of them this box watches already.

use std::io::Write;
use std::net::Ipv4Addr;

use anyhow::Context;
use settings::Span;

use super::settings::Settings;
use crate::config::Config;
use crate::discover::{self, Findings, Found, Network, Search};
use crate::onvif::address;
use crate::wording::{Language, Speech, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A network to look at address by address, for example 192.168.1.0/24; at most 1024 addresses in all.
    /// Without one, cameras are only called by multicast and nothing is scanned.
    #[arg(long, value_name = "CIDR")]
    network: Vec<Network>,
    /// Interfaces to call on, by name; by default those with a private address.
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,
    /// How long to wait for answers.
    #[arg(long, default_value = "5s")]
    timeout: Span,
    /// Ports that are asked for RTSP in the given networks.
    #[arg(long, value_delimiter = ',', default_value = "554,8554")]
    rtsp_ports: Vec<u16>,
    /// Ports that are asked for ONVIF in the given networks.
    #[arg(long, value_delimiter = ',', default_value = "80,8080,8000")]
    onvif_ports: Vec<u16>,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    speech: Speech,
}

/// Waits longer are a mistake.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(60);
/// Most ports of a kind.
const MOST_PORTS: usize = 8;

pub fn execute(args: Args) -> anyhow::Result<()> {
    let language = args.speech.language();
    anyhow::ensure!(args.timeout.0 <= LONGEST_WAIT, "--timeout: at most 60s");
    let most = args.rtsp_ports.len().max(args.onvif_ports.len());
    anyhow::ensure!(most <= MOST_PORTS, "at most {MOST_PORTS} ports of a kind");
    let interfaces = interfaces(&args, language)?;
    let search = Search {
        interfaces,
        networks: args.network.clone(),
        rtsp_ports: args.rtsp_ports.clone(),
        onvif_ports: args.onvif_ports.clone(),
        wait: args.timeout.0,
        ..Search::default()
    };
    // Which are configured already; a box that has no settings yet has no cameras either.
    let config = args.settings.try_take().ok();
    let findings = discover::search(&search)?;
    let text = match args.json {
        true => json(&findings, config.as_ref(), &search),
        false => list(&findings, config.as_ref(), language),
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Where to call. With networks named and no interface, only these are asked.
fn interfaces(args: &Args, language: Language) -> anyhow::Result<Vec<Ipv4Addr>> {
    let all = discover::interfaces().context("cannot list the interfaces of this box")?;
    let mut chosen = Vec::new();
    for name in &args.interface {
        let own: Vec<Ipv4Addr> = all.iter().filter(|i| i.name == *name).map(|i| i.address).collect();
        if own.is_empty() {
            let names: Vec<&str> = all.iter().map(|i| i.name.as_str()).collect();
            let names = names.join(", ");
            anyhow::bail!(
                "{}",
                match language {
                    Language::Zh => format!("没有名为 {name} 且带 IPv4 地址的网口；现有：{names}"),
                    Language::En => format!("no interface {name} with an IPv4 address; there are: {names}"),
                }
            );
        }
        chosen.extend(own);
    }
    if chosen.is_empty() && args.network.is_empty() {
        chosen.extend(all.iter().filter(|i| i.is_private()).map(|i| i.address));
        if chosen.is_empty() {
            anyhow::bail!("{}", language.pick(
                "没有带私有地址的网口：用 --interface 指明网口，或用 --network 指明网段",
                "no interface has a private address: name one with --interface, or a network with --network",
            ));
        }
    }
    Ok(chosen)
}

/// How those that were found are added: by address where ONVIF answers, else by the url of a stream.
fn advice(findings: &Findings, language: Language) -> String {
    let mut text = String::new();
    if findings.cameras.iter().any(|found| found.onvif.is_some() || found.rtsp_ports.is_empty()) {
        text += language.pick(
            "\n添加：edge-agent camera add 地址 --user 用户名\n",
            "\nTo add one: edge-agent camera add ADDRESS --user USER\n",
        );
    }
    let bare = findings.cameras.iter().find(|found| found.onvif.is_none() && !found.rtsp_ports.is_empty());
    if let Some(found) = bare {
        let (address, port) = (found.address, found.rtsp_ports[0]);
        text += &match language {
            Language::Zh => format!(
                "\n没有 ONVIF 的，要写视频流的网址（路径见摄像机说明书）：edge-agent camera add rtsp://{address}:{port}/路径 --user 用户名\n"
            ),
            Language::En => format!(
                "\nWithout ONVIF, give the url of a stream (its path is in the camera's manual): edge-agent camera add rtsp://{address}:{port}/PATH --user USER\n"
            ),
        };
    }
    text
}

/// The id of the configured camera at an address.
fn configured<'a>(found: &Found, config: Option<&'a Config>) -> Option<&'a str> {
    let own = |host: &str| {
        host == found.address.to_string() || found.other_addresses.iter().any(|a| a.to_string() == host)
    };
    let cameras = &config?.cameras;
    let camera = cameras.iter().find(|c| address::host_of(c.url.as_str()).is_some_and(|h| own(&h)))?;
    Some(camera.id.as_str())
}

fn json(findings: &Findings, config: Option<&Config>, search: &Search) -> String {
    let cameras: Vec<serde_json::Value> = findings
        .cameras
        .iter()
        .map(|found| {
            let mut value = serde_json::json!(found);
            value["configured"] = serde_json::json!(configured(found, config));
            value
        })
        .collect();
    let networks: Vec<String> = search.networks.iter().map(Network::to_string).collect();
    let asked = serde_json::json!({ "interfaces": search.interfaces, "networks": networks });
    format!("{}\n", serde_json::json!({ "cameras": cameras, "ignored": findings.ignored, "asked": asked }))
}

fn list(findings: &Findings, config: Option<&Config>, language: Language) -> String {
    let ignored = match (findings.ignored, language) {
        (0, _) => String::new(),
        (n, Language::Zh) => format!("忽略了 {n} 个无效应答\n"),
        (n, Language::En) => format!("{n} answers were of no use and ignored\n"),
    };
    if findings.cameras.is_empty() {
        let nothing = language
            .pick(
                "没有找到摄像机。摄像机可能在别的网段，或交换机屏蔽了组播：用 --network 指明网段再试。\n",
                "No camera found. They may be in another network, or a switch drops multicast: name the network with --network.\n",
            );
        return format!("{nothing}{ignored}");
    }
    let yes = |is: bool| if is { language.pick("有", "yes") } else { language.pick("无", "no") }.to_owned();
    let heads = match language {
        Language::Zh => ["地址", "名称", "型号", "ONVIF", "RTSP", "已配置"],
        Language::En => ["ADDRESS", "NAME", "MODEL", "ONVIF", "RTSP", "CONFIGURED"],
    };
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for found in &findings.cameras {
        let ports: Vec<String> = found.rtsp_ports.iter().map(u16::to_string).collect();
        // Nobody asked its ports, or none answered.
        let rtsp = if ports.is_empty() { "-".to_owned() } else { ports.join(",") };
        rows.push(vec![
            found.address.to_string(),
            found.name.clone(),
            found.model.clone(),
            yes(found.onvif.is_some()),
            rtsp,
            configured(found, config).unwrap_or("-").to_owned(),
        ]);
    }
    let mut text = table(&rows);
    for found in &findings.cameras {
        for note in &found.notes {
            text += &format!("{}: {}\n", found.address, note.of(language));
        }
    }
    text += &ignored;
    text + &advice(findings, language)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(onvif: Option<&str>, rtsp_ports: &[u16]) -> Found {
        Found {
            address: [192, 0, 2, 10].into(),
            other_addresses: Vec::new(),
            endpoint: None,
            name: "x".into(),
            model: "y".into(),
            onvif: onvif.map(str::to_owned),
            rtsp_port: rtsp_ports.first().copied(),
            rtsp_ports: rtsp_ports.to_vec(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_camera_without_onvif_is_added_by_a_url() {
        let text = |cameras| list(&Findings { cameras, ignored: 0 }, None, Language::En);
        let bare = text(vec![found(None, &[554, 8554])]);
        assert!(
            bare.contains("554,8554") && bare.contains("camera add rtsp://192.0.2.10:554/PATH"),
            "{bare}"
        );
        assert!(!bare.contains("camera add ADDRESS"), "{bare}");
        let onvif = text(vec![found(Some("http://192.0.2.10/"), &[554])]);
        assert!(onvif.contains("camera add ADDRESS") && !onvif.contains("PATH"), "{onvif}");
    }
}
