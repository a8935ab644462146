//! Tokens that are still open, as `agent list` and `agent show` tell of them. The token itself is kept nowhere.

use protocol::Timestamp;

use super::words::{Language, print_line, print_text};
use crate::store::Store;
use crate::store::audit::OPERATOR;
use crate::store::tokens::Open;

/// All of them, below the list of agents; nothing where there is none.
pub async fn list(store: &Store, language: Language) -> anyhow::Result<()> {
    let open = store.open_tokens(None).await?;
    if !open.is_empty() {
        print_text(format_args!(
            "\n{}",
            language.say("还没有使用的入网令牌：", "Tokens that are not used yet:")
        ));
    }
    for token in open {
        print_line(format!("  {}/{}  {}", token.site, token.agent, said(&token, language)));
    }
    Ok(())
}

/// Until when it is good, and when and by whom it was made.
pub fn said(token: &Open, language: Language) -> String {
    let (until, at) = (Timestamp::from_unix_ms(token.expires_at), Timestamp::from_unix_ms(token.created_at));
    let by = match token.created_by.as_deref() {
        None => String::new(),
        Some(OPERATOR) => language.say("，在中心的命令行上", ", at the hub's command line").to_owned(),
        Some(other) => language.say(format!("，由 {other}"), format!(", by {other}")),
    };
    language.say(format!("{until} 前有效（{at} 生成{by}）"), format!("open until {until} (made {at}{by})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_until_when_and_by_whom() {
        let token = Open {
            site: "market".into(),
            agent: "box-1".into(),
            name: None,
            created_at: 0,
            expires_at: 900_000,
            created_by: Some(OPERATOR.into()),
        };
        let en = said(&token, Language::En);
        assert!(en.starts_with("open until 1970-01-01T00:15:00") && en.contains("command line"), "{en}");
        let zh = said(&Open { created_by: Some("li".into()), ..token }, Language::Zh);
        assert!(zh.contains("前有效") && zh.contains("由 li"), "{zh}");
    }
}
