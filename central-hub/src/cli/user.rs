//! `user ...`: who may come in and what as. Works beside a running hub; what it changes holds at once.
//!
//! Auditors are made here alone, and a lost second factor is mended here alone: whoever can run this has the
//! hub's machine anyway, and every change is an entry of the audit.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, Subcommand};
use hub_core::password;
use hub_core::rights::{Grant, Grants, Role};
use protocol::SiteId;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use settings::{Secret, owner};

use super::words::{Language, note, print_line, print_text};
use super::{note_unless_running, wall_address};
use crate::ca::timestamp;
use crate::clock::now_ms;
use crate::config::Config;
use crate::store::people::{By, Held, User, account_of};
use crate::store::{FIRST_USER, Store};
use crate::{credential, seal, totp};

#[derive(Subcommand)]
pub enum Command {
    /// Make an account; its owner comes by the one-time link that is printed
    Add {
        #[arg(long)]
        user: String,
        /// What people call them
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        what: What,
    },
    /// Everybody, and what they hold
    List,
    /// Let somebody be something more
    Grant {
        #[arg(long)]
        user: String,
        #[command(flatten)]
        what: What,
    },
    /// Take that away
    Revoke {
        #[arg(long)]
        user: String,
        #[command(flatten)]
        what: What,
    },
    /// Let somebody in no more; their sessions end at once
    Disable {
        #[arg(long)]
        user: String,
        /// Let them in again
        #[arg(long)]
        undo: bool,
    },
    /// Set a password; ends the user's sessions
    #[command(alias = "set-password")]
    Password {
        #[arg(long, default_value = FIRST_USER)]
        user: String,
        /// A file of mode 600 whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// Print a link that logs in once, within 15 minutes
    LoginLink {
        #[arg(long, default_value = FIRST_USER)]
        user: String,
    },
    /// Set up a second factor (an authenticator app) anew, or take a lost one away
    Totp {
        #[arg(long, default_value = FIRST_USER)]
        user: String,
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Args)]
pub struct What {
    /// operator, shift_lead, installer, auditor, administrator or grid_member
    #[arg(long)]
    role: Role,
    /// At this site alone; without it at all
    #[arg(long)]
    site: Option<SiteId>,
}

impl What {
    fn grant(self) -> Grant {
        Grant { role: self.role, site: self.site }
    }
}

pub async fn execute(store: &Store, config: &Config, command: Command) -> anyhow::Result<()> {
    let language = Language::of_environment();
    let by = By::CommandLine;
    match command {
        Command::Add { user, name, what } => {
            let account = account_of(&user)?;
            store.add_user(&account, name.as_deref(), &Grants::new([what.grant()])?, by).await?;
            note(language.say(
                format!("已建立用户 {account}。请在 15 分钟内打开下面的链接（只能用一次），然后设置密码："),
                format!("user {account} made; open this link once, within 15 minutes, and set a password:"),
            ));
            print_link(store, config, &account).await?;
        }
        Command::List => list(store, language).await?,
        Command::Grant { user, what } => {
            let account = account_of(&user)?;
            let held = store.grants_of(&account).await?;
            let grants = Grants::new(held.iter().cloned().chain([what.grant()]))?;
            store.set_grants(&account, &grants, by).await?;
            print_text(language.say(format!("已授予用户 {account}。"), format!("granted to {account}")));
        }
        Command::Revoke { user, what } => {
            let account = account_of(&user)?;
            if !store.revoke(&account, &what.grant(), by).await? {
                bail!(
                    "{}",
                    language.say(
                        format!("用户 {account} 没有这个角色：请用 `central-hub user list` 查看"),
                        format!("{account} does not hold this: see `central-hub user list`"),
                    )
                );
            }
            print_text(
                language.say(format!("已收回用户 {account} 的角色。"), format!("revoked from {account}")),
            );
        }
        Command::Disable { user, undo } => {
            let account = account_of(&user)?;
            store.disable_user(&account, !undo, by).await?;
            let said = match undo {
                false => language.say(
                    format!("用户 {account} 已停用，其登录已全部结束。"),
                    format!("user {account} disabled: comes in no more, sessions ended"),
                ),
                true => language.say(
                    format!("用户 {account} 可以重新登录。"),
                    format!("user {account} may come in again"),
                ),
            };
            print_text(said);
        }
        Command::Password { user, password_file } => {
            set_password(store, &account_of(&user)?, &password_file, language).await?;
        }
        Command::LoginLink { user } => print_link(store, config, &account_of(&user)?).await?,
        Command::Totp { user, remove } => {
            let account = account_of(&user)?;
            if remove {
                store.remove_second_factor(&account, by).await?;
                let zh = format!("用户 {account} 的第二因素已取消；用它打开的登录已结束。");
                let en = format!("second factor of {account} taken away; sessions opened by it ended");
                print_text(language.say(zh, en));
            } else {
                set_up_second_factor(store, &account, language).await?;
            }
        }
    }
    Ok(())
}

async fn print_link(store: &Store, config: &Config, account: &str) -> anyhow::Result<()> {
    let token = credential::random_token()?;
    store.put_login_link(account, &token, By::CommandLine).await?;
    note_unless_running(config);
    print_text(format_args!("{}/login#{token}", wall_address(config)));
    Ok(())
}

async fn set_password(
    store: &Store,
    account: &str,
    file: &std::path::Path,
    language: Language,
) -> anyhow::Result<()> {
    let secret = owner::as_caller(|| Secret::read(file))?;
    if let Err(why) = password::check(secret.expose(), account) {
        bail!("{}: {}", file.display(), language.say(why.zh().to_owned(), why.to_string()));
    }
    let hash = credential::password_hash(secret.expose())?;
    store.set_password(account, &hash, None, By::CommandLine).await?;
    print_text(language.say(format!("用户 {account} 的密码已设置。"), format!("password of {account} set")));
    Ok(())
}

/// Shows the secret once, and asks for a code: a second factor that cannot be shown would lock its owner out.
async fn set_up_second_factor(store: &Store, account: &str, language: Language) -> anyhow::Result<()> {
    let secret = totp::new_secret()?;
    let sealed = seal::seal(store.shared(), account, &secret)?;
    store.put_second_factor(account, &sealed, By::CommandLine).await?;
    let picture = QrCode::new(totp::uri(&secret, account))?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build();
    print_text(format_args!("{picture}\n{}", totp::base32(&secret)));
    let ask = language.say(
        "用手机上的身份验证器应用扫描上图（或键入上面的密钥），再输入它显示的六位数字：",
        "scan this with an authenticator app (or type the secret in), then type the six digits that it shows: ",
    );
    for _ in 0..3 {
        let _ = write!(std::io::stderr(), "{ask}");
        let mut code = String::new();
        if std::io::stdin().lock().read_line(&mut code)? == 0 {
            break;
        }
        if let Some(step) = totp::step_of(&secret, code.trim(), now_ms(), 0) {
            store.prove_second_factor(account, step, By::CommandLine).await?;
            let zh = format!("用户 {account} 的第二因素已生效。");
            print_text(language.say(zh, format!("second factor of {account} is in force")));
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            break;
        }
    }
    bail!("{}", language.say(
        "没有输入正确的数字，第二因素未生效。请检查手机和本机的时钟，再运行一次。",
        "no right code was given, so the second factor is not in force; check the clocks of phone and hub, and run this again",
    ))
}

async fn list(store: &Store, language: Language) -> anyhow::Result<()> {
    let head = language.say(
        ["用户", "状态", "第二因素", "最近登录", "角色", "姓名"],
        ["USER", "STATE", "SECOND FACTOR", "LAST LOGIN", "ROLES", "NAME"],
    );
    print_text(line(head));
    for user in store.users().await? {
        let state = match (user.disabled_at, user.has_password) {
            (Some(_), _) => language.say("已停用", "disabled"),
            (None, false) => language.say("未设密码", "no password"),
            (None, true) => language.say("正常", "active"),
        };
        let second =
            if user.has_second_factor { language.say("有", "yes") } else { language.say("无", "no") };
        let login = user.last_login_at.map_or_else(|| "-".to_owned(), |ms| timestamp(ms).to_string());
        let roles = roles(&user, language);
        let name = user.name.as_deref().unwrap_or("");
        print_line(line([&user.account, state, second, &login, &roles, name]));
    }
    Ok(())
}

fn roles(user: &User, language: Language) -> String {
    let role = |h: &Held| {
        let site = h.grant.site.as_ref().map_or_else(String::new, |s| format!("@{s}"));
        let stand_in = if h.stand_in { language.say("(代)", "(stand-in)") } else { "" };
        format!("{}{site}{stand_in}", h.grant.role)
    };
    let roles: Vec<String> = user.held.iter().map(role).collect();
    if roles.is_empty() { "-".to_owned() } else { roles.join(",") }
}

fn line([user, state, second, login, roles, name]: [&str; 6]) -> String {
    format!("{user:<20} {state:<12} {second:<14} {login:<25} {roles:<40} {name}").trim_end().to_owned()
}
