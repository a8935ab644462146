//! `broker-config`: the rules for a broker of the operator's own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::words::{Language, print_text};
use crate::broker_rules;
use crate::ca::host_names;
use crate::config::{Config, split_address};
use crate::store::Store;

#[derive(Args)]
pub struct Command {
    /// Which broker
    #[arg(long, value_enum)]
    kind: Kind,
    /// The folder for its files; made if it is not there, refreshed if it is
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Where the broker shall listen
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8883")]
    listen: SocketAddr,
    /// A second listener for several hubs that share the load; no box needs to reach it
    #[arg(long, value_name = "ADDRESS")]
    hubs_listen: Option<SocketAddr>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Mosquitto,
}

pub async fn execute(store: &Store, config: &Config, command: Command) -> anyhow::Result<()> {
    let Kind::Mosquitto = command.kind;
    let listeners: Vec<_> = [Some(command.listen), command.hubs_listen].into_iter().flatten().collect();
    let mut names = host_names(&config.agents.names, &listeners);
    let external = config.broker.external.as_deref().and_then(split_address);
    names.extend(external.map(|(host, _)| host.to_ascii_lowercase()));
    let boxes =
        broker_rules::write_mosquitto(store, &command.out, command.listen, command.hubs_listen, &names)
            .await?;
    let folder = command.out.display();
    print_text(Language::of_environment().say(
            format!(
                "已为 {boxes} 台盒子写入 mosquitto 规则：{folder}\n\
                 1. 让 mosquitto 能读取该文件夹，并在 mosquitto.conf 中加入：include_dir {folder}\n\
                 2. 中心的 [broker]：external = \"主机:{port}\"，authority_file、certificate_file、key_file 指向其中的 authority.pem、hub.pem、hub.key\n\
                 3. 每次登记、换证、停用盒子后重新运行本命令，再让 mosquitto 重新读取（SIGHUP）：在此之前，已停用的盒子仍能连接\n\
                 说明见 docs/guide/external-broker.zh-CN.md",
                port = command.hubs_listen.unwrap_or(command.listen).port()
            ),
            format!(
                "Wrote mosquitto's rules for {boxes} boxes: {folder}\n\
                 1. Let mosquitto read that folder, and add to mosquitto.conf: include_dir {folder}\n\
                 2. The hub's [broker]: external = \"HOST:{port}\", and authority_file, certificate_file, key_file: authority.pem, hub.pem, hub.key in there\n\
                 3. After each enrolment, renewal or revocation run this again and have mosquitto read it (SIGHUP): until then a revoked box is not out\n\
                 See docs/guide/external-broker.en.md",
                port = command.hubs_listen.unwrap_or(command.listen).port()
            )
        )
    );
    Ok(())
}
