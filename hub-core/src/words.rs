//! Texts and questions as tokens, so that any index of plain tokens finds Chinese as it finds English.
//!
//! A run of Chinese, Japanese or Korean characters becomes its characters and its pairs of neighbours; anything
//! else becomes words in small letters. A question asks for all of its pairs (one character alone: for the
//! character), so what it finds holds them; that they stand side by side in longer ones is likely, not
//! certain. Facets (a site, a state) are tokens of their own that no text can make.

/// Most tokens of one text; what is beyond is not found.
const MOST_TOKENS: usize = 2_000;
/// Most characters of a question.
pub const QUESTION_CHARS: usize = 100;
/// Longer words are cut, in texts and questions alike.
const WORD_CHARS: usize = 32;
/// Stands in every facet and in no word.
const MARK: char = '·';

/// Why nothing can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    #[error("there is no word in it")]
    Empty,
    #[error("it is longer than {QUESTION_CHARS} characters")]
    TooLong,
}

/// Everything under which the texts are found, sorted, each once.
pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut tokens = Vec::new();
    for text in texts {
        for run in runs(text) {
            if tokens.len() >= MOST_TOKENS {
                break;
            }
            match run {
                Run::Characters(run) => {
                    tokens.extend(run.iter().map(char::to_string));
                    tokens.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
                }
                Run::Word(word) => {
                    let parts = parts(&word);
                    if parts.len() > 1 {
                        tokens.extend(parts);
                    }
                    tokens.push(word);
                }
            }
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens.truncate(MOST_TOKENS);
    tokens
}

/// What a text that answers the question holds, all of it.
pub fn of_question(question: &str) -> Result<Vec<String>, QuestionError> {
    if question.chars().count() > QUESTION_CHARS {
        return Err(QuestionError::TooLong);
    }
    let mut tokens = Vec::new();
    for run in runs(question) {
        match run {
            Run::Characters(run) if run.len() == 1 => tokens.push(run[0].to_string()),
            Run::Characters(run) => tokens.extend(run.windows(2).map(|pair| pair.iter().collect::<String>())),
            Run::Word(word) => tokens.push(word),
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    if tokens.is_empty() { Err(QuestionError::Empty) } else { Ok(tokens) }
}

/// A property that is looked for as a whole, such as `("state", "new")`. Different ones give different tokens,
/// also for an index that makes no difference between capital and small letters.
pub fn facet(name: &str, value: &str) -> String {
    let mut token = format!("{name}{MARK}");
    for byte in value.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() {
            token.push(char::from(byte));
        } else {
            token.push(MARK);
            for half in [byte >> 4, byte & 15] {
                token.extend(char::from_digit(u32::from(half), 16));
            }
        }
    }
    token
}

enum Run {
    Characters(Vec<char>),
    Word(String),
}

fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut characters = Vec::new();
    let mut word = String::new();
    for c in text.chars().map(fold).flat_map(char::to_lowercase).chain([' ']) {
        let (is_character, is_letter) = (is_character(c), c.is_alphanumeric());
        if !is_character && !characters.is_empty() {
            runs.push(Run::Characters(std::mem::take(&mut characters)));
        }
        if (is_character || !is_letter) && !word.is_empty() {
            let cut: String = std::mem::take(&mut word).chars().take(WORD_CHARS).collect();
            runs.push(Run::Word(cut));
        }
        if is_character {
            characters.push(c);
        } else if is_letter {
            word.push(c);
        }
    }
    runs
}

/// `gate2` is found by `gate` and by `2` as well.
fn parts(word: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut before = None;
    for c in word.chars() {
        let digit = c.is_numeric();
        match parts.last_mut() {
            Some(part) if before == Some(digit) => part.push(c),
            _ => parts.push(c.to_string()),
        }
        before = Some(digit);
    }
    parts
}

/// Full-width letters and digits are the plain ones.
fn fold(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// Written without spaces between words: Han, Kana, Hangul.
fn is_character(c: char) -> bool {
    matches!(u32::from(c),
        0x3005 | 0x3007 | 0x3041..=0x3096 | 0x30a1..=0x30fa | 0x30fc | 0x3105..=0x312f | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0x20000..=0x323af)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(question: &str, text: &str) -> bool {
        let tokens = of_texts([text]);
        of_question(question).unwrap().iter().all(|t| tokens.binary_search(t).is_ok())
    }

    #[test]
    fn chinese_is_found_by_one_two_and_more_characters() {
        let text = "东街市场北门，越线（Gate 2）";
        for question in [
            "门",
            "北门",
            "市场",
            "东街市场",
            "越线",
            "北门 越线",
            "gate",
            "GATE",
            "2",
            "东街 gate",
            "ｇａｔｅ",
        ] {
            assert!(finds(question, text), "{question}");
        }
        for question in ["南", "门北", "场东", "南门", "越界", "gat", "gate2", "22"] {
            assert!(!finds(question, text), "{question}");
        }
    }

    #[test]
    fn words_are_found_whole_and_by_their_letters_and_digits() {
        assert!(finds("box-17", "box-17"));
        assert!(finds("17", "box17a"));
        assert!(finds("box", "BOX17a"));
        assert!(!finds("ox", "box17"));
        assert!(finds("Größe", "GRÖSSE größe"));
        let long = "x".repeat(100);
        assert!(finds(&long, &long));
    }

    #[test]
    fn a_question_without_a_word_is_refused() {
        for empty in ["", " ", "，。！", "\"'*():^", "·"] {
            assert_eq!(of_question(empty), Err(QuestionError::Empty), "{empty}");
        }
        assert_eq!(of_question(&"门".repeat(101)), Err(QuestionError::TooLong));
        assert_eq!(of_question("门 OR 门*").unwrap(), ["or", "门"]);
    }

    #[test]
    fn facets_are_unlike_all_words_and_unlike_each_other() {
        assert_eq!(facet("state", "on_scene"), "state·on·5fscene");
        assert_ne!(facet("site", "A").to_lowercase(), facet("site", "a"));
        assert_ne!(facet("site", "a-b"), facet("site", "a_b"));
        assert!(of_texts([facet("site", "a").as_str()]).iter().all(|t| !t.contains(MARK)));
    }

    #[test]
    fn texts_are_bounded() {
        let endless: String = (0..50_000).filter_map(|n| char::from_u32(0x4e00 + n % 20_000)).collect();
        assert!(of_texts([endless.as_str()]).len() <= MOST_TOKENS);
        assert!(of_texts(std::iter::repeat_n("a1b2c3 东街", 10_000)).len() < 20);
    }
}
