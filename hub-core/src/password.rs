//! Which passwords are taken: long enough, and none of those that everybody tries first.
//!
//! No rules about kinds of characters: they make passwords that people write down (NIST SP 800-63B-4, 3.1.1).

use std::fmt;

/// Shortest and longest, in characters.
pub const SHORTEST: usize = 10;
pub const LONGEST: usize = 256;

/// What guessers try first, of those that are long enough; lower case.
const COMMON: [&str; 48] = [
    "0123456789",
    "1234567890",
    "0987654321",
    "1111111111",
    "123456789a",
    "a123456789",
    "12345678910",
    "123123123123",
    "1234512345",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "1qaz@wsx#edc",
    "q1w2e3r4t5",
    "qwer123456",
    "qwerty1234",
    "qwerty12345",
    "qwerty123456",
    "qwertyuiop",
    "zxcvbnm123",
    "abc1234567",
    "abcd123456",
    "abcdefghij",
    "aa12345678",
    "asdfghjkl1",
    "asdfasdfasdf",
    "password12",
    "password123",
    "password1234",
    "passw0rd123",
    "p@ssw0rd123",
    "admin12345",
    "admin123456",
    "admin@12345",
    "adminadmin",
    "administrator",
    "root123456",
    "letmein123",
    "welcome123",
    "iloveyou123",
    "changeme123",
    "huawei@123",
    "huawei12345",
    "hikvision123",
    "dahua12345",
    "woaini1314",
    "woaini520520",
    "woaini1314520",
    "5201314520",
];

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    TooShort,
    TooLong,
    /// In the list, or the same few characters over and over.
    Common,
    /// It holds the name of its user or of this product.
    Named,
}

impl Weakness {
    /// For programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::Common => "password_common",
            Self::Named => "password_named",
        }
    }

    pub const fn zh(self) -> &'static str {
        match self {
            Self::TooShort => "密码太短：至少 10 个字符",
            Self::TooLong => "密码太长：最多 256 个字符",
            Self::Common => "这个密码太常见，最先被人试到；请换一个",
            Self::Named => "密码里有用户名或产品名，容易被猜到；请换一个",
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "the password is too short: at least 10 characters",
            Self::TooLong => "the password is too long: at most 256 characters",
            Self::Common => "this password is among the first that are tried; take another",
            Self::Named => "the password holds the user's or the product's name; take another",
        })
    }
}

impl std::error::Error for Weakness {}

/// Whether a password may be `user`'s.
pub fn check(password: &str, user: &str) -> Result<(), Weakness> {
    let chars = password.chars().count();
    if chars < SHORTEST {
        return Err(Weakness::TooShort);
    }
    if chars > LONGEST {
        return Err(Weakness::TooLong);
    }
    let lower = password.to_lowercase();
    if COMMON.contains(&lower.as_str()) || repeats(&lower) {
        return Err(Weakness::Common);
    }
    // A short name is in half of all words.
    let user = user.to_lowercase();
    if lower.contains("signalbox") || (user.chars().count() >= 4 && lower.contains(&user)) {
        return Err(Weakness::Named);
    }
    Ok(())
}

/// At most three different characters: `aaaaaaaaaa`, `1212121212`.
fn repeats(text: &str) -> bool {
    let mut seen: Vec<char> = Vec::new();
    text.chars().all(|c| {
        if !seen.contains(&c) {
            seen.push(c);
        }
        seen.len() <= 3
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_kinds_of_characters_do_not() {
        for good in ["a better password", "correct horse battery", "我家门前有一棵老槐树", "xkvmqzwlry"]
        {
            assert_eq!(check(good, "wang.li"), Ok(()), "{good}");
        }
        assert_eq!(check("short", "wang.li"), Err(Weakness::TooShort));
        assert_eq!(check("九个字符的密码不行", "wang.li"), Err(Weakness::TooShort));
        assert_eq!(check(&"long ".repeat(60), "wang.li"), Err(Weakness::TooLong));
    }

    #[test]
    fn what_everybody_tries_first_is_not_taken() {
        for common in COMMON {
            assert!(common.chars().count() >= SHORTEST, "{common} is too short to need a place in the list");
            assert_eq!(check(&common.to_uppercase(), "wang.li"), Err(Weakness::Common), "{common}");
        }
        for repeated in ["aaaaaaaaaaaa", "121212121212", "abcabcabcabc"] {
            assert_eq!(check(repeated, "wang.li"), Err(Weakness::Common), "{repeated}");
        }
        assert_eq!(check("Wang.Li-2026!", "wang.li"), Err(Weakness::Named));
        assert_eq!(check("mySignalbox99", "wang.li"), Err(Weakness::Named));
        assert_eq!(check("an ordinary one", "an"), Ok(()), "a short name says nothing");
    }
}
