//! Writes elements with text. Whatever a text holds, the document stays well-formed.

/// A document under way.
pub struct Xml {
    text: String,
    root: &'static str,
}

impl Xml {
    pub fn begin(root: &'static str, namespace: &str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{namespace}\">\n");
        Self { text, root }
    }

    pub fn open(&mut self, name: &'static str) {
        self.tag(&["<", name, ">\n"]);
    }

    pub fn close(&mut self, name: &'static str) {
        self.tag(&["</", name, ">\n"]);
    }

    pub fn text(&mut self, name: &'static str, text: &str) {
        self.tag(&["<", name, ">"]);
        text.chars().for_each(|c| self.char(c));
        self.tag(&["</", name, ">\n"]);
    }

    pub fn end(mut self) -> String {
        let root = self.root;
        self.close(root);
        self.text
    }

    fn tag(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.text.push_str(part));
    }

    /// XML 1.0, section 2.2: what is no `Char` cannot be written at all, not even escaped.
    fn char(&mut self, c: char) {
        match c {
            '&' => self.text.push_str("&amp;"),
            '<' => self.text.push_str("&lt;"),
            '>' => self.text.push_str("&gt;"),
            '"' => self.text.push_str("&quot;"),
            '\'' => self.text.push_str("&apos;"),
            // A reader would make a line feed of a bare one.
            '\r' => self.text.push_str("&#13;"),
            '\t' | '\n' => self.text.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.text.push('\u{fffd}'),
            // Allowed but discouraged: C1 controls, which no text of ours needs.
            '\u{7f}'..='\u{9f}' => self.text.push('\u{fffd}'),
            _ => self.text.push(c),
        }
    }
}
