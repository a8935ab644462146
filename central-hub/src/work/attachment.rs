//! The names of attachments. Their files are [`crate::evidence`]'s, what they are the database's.

/// The name of a file: a UUID as the hub writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileId(String);

impl FileId {
    /// `None` for everything that is no such id.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => matches!(b, b'0'..=b'9' | b'a'..=b'f'),
            });
        shaped.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199f1f0-0000-7000-8000-0123456789ab";

    #[test]
    fn only_ids_are_names() {
        for text in ["", "..", "../hub.db", "%2e%2e", "0199F1F0-0000-7000-8000-0123456789AB", &ID[1..]] {
            assert_eq!(FileId::parse(text), None, "{text}");
        }
        assert_eq!(FileId::parse(&ID.replace('a', "/")), None);
        assert_eq!(FileId::parse(&ID.replace('a', "\0")), None);
    }
}
