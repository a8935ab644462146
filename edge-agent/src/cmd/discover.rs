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
        let rtsp = match found.rtsp_port {
            Some(port) => port.to_string(),
            // Nobody asked its ports.
            None => "-".to_owned(),
        };
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
    text + language.pick(
        "\n添加：edge-agent camera add 地址 --user 用户名\n",
        "\nTo add one: edge-agent camera add ADDRESS --user USER\n",
    )
}
