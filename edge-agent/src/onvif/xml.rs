//! Whether XML from outside is small and flat enough to be parsed at all. Parsers build a tree, and a
//! tree of a hundred thousand levels ends a program when it is dropped.

/// ONVIF's own answers have about ten levels.
const DEEPEST: usize = 48;
/// Most elements: a recorder with 64 channels stays below.
const MOST_ELEMENTS: usize = 20_000;

/// Well nested as far as it goes, no document type (entities), not too deep, not too many elements.
pub fn is_tame(text: &str) -> bool {
    let (mut rest, mut depth, mut elements) = (text, 0_usize, 0_usize);
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")]
            .iter()
            .find(|(begin, _)| rest.starts_with(begin))
            .map(|(begin, end)| rest[begin.len()..].find(end).map(|n| begin.len() + n + end.len()));
        let length = match skipped {
            Some(Some(length)) => length,
            Some(None) => return false,
            None if rest.starts_with("<!") => return false,
            None => {
                let Some(end) = end_of_tag(rest) else { return false };
                if rest.starts_with("</") {
                    let Some(up) = depth.checked_sub(1) else { return false };
                    depth = up;
                } else {
                    elements += 1;
                    depth += usize::from(!rest[..end].ends_with('/'));
                }
                if depth > DEEPEST || elements > MOST_ELEMENTS {
                    return false;
                }
                end + 1
            }
        };
        rest = &rest[length..];
    }
    depth == 0 && elements > 0
}

/// Where the `>` is that ends a tag; one within quotes does not.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(at),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deep_long_cut_or_has_a_document_type_is_wild() {
        let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        for good in [
            nested(DEEPEST),
            "<?xml version=\"1.0\"?><!-- <a> --><s:E x=\"a>b\"><b/><c><![CDATA[<d>]]></c></s:E>".to_owned(),
        ] {
            assert!(is_tame(&good), "{good}");
        }
        for bad in [
            String::new(),
            "no xml".to_owned(),
            nested(DEEPEST + 1),
            "<a>".repeat(30_000),
            "<a><b></a>".to_owned(),
            "</a><a>".to_owned(),
            "<a".to_owned(),
            "<a x=\"></a>".to_owned(),
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_owned(),
            "<a><!-- </a>".to_owned(),
            format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS)),
        ] {
            assert!(!is_tame(&bad), "{bad:.60}");
        }
    }
}
