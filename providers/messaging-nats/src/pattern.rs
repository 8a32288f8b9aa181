//! Patterns of subjects, with the wildcards of NATS.

use lattice_protocol::subjects::is_reply_subject;

/// A pattern that an actor may use: outside of the mesh, of the server, and of others' inboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Reads a pattern; `None` where it is none, or one that reaches what no actor may.
    pub fn read(text: &str) -> Option<Self> {
        // With words for its wildcards it must be a subject; its first token is a word, lest it
        // reach the mesh.
        let tokens: Vec<&str> = text.split('.').collect();
        let (last, before) = tokens.split_last()?;
        if before.contains(&">") || matches!(*tokens.first()?, "*" | ">" | "_INBOX") {
            return None;
        }
        let word = |token: &&str| if matches!(*token, "*" | ">") { "x" } else { *token }.to_owned();
        let subject: Vec<String> = before.iter().chain([last]).map(word).collect();
        is_reply_subject(&subject.join(".")).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether a subject without wildcards is one of the pattern's.
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (word, Some(token)) if word == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pattern_reaches_the_mesh_the_server_or_an_inbox() {
        for text in ["orders", "orders.*", "orders.>", "a.*.c", "meshes.>"] {
            assert!(Pattern::read(text).is_some(), "{text}");
        }
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "*",
            ">",
            "*.a",
            "mesh.>",
            "mesh",
            "$SYS.>",
            "$JS.API.>",
            "_INBOX.>",
            "a.>.b",
            "a b",
            "a.*b",
            "a\n",
        ] {
            // A star inside of a token is a character like any other to NATS.
            assert_eq!(Pattern::read(text).is_some(), text == "a.*b", "{text}");
        }
    }

    #[test]
    fn wildcards_match_as_the_server_does() {
        let matches =
            |pattern: &str, subject: &str| Pattern::read(pattern).unwrap().matches(subject);
        for (pattern, subject) in
            [("a", "a"), ("a.*", "a.b"), ("a.>", "a.b"), ("a.>", "a.b.c"), ("a.*.c", "a.b.c")]
        {
            assert!(matches(pattern, subject), "{pattern} {subject}");
        }
        for (pattern, subject) in
            [("a", "a.b"), ("a.*", "a"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.*.c", "a.b.d")]
        {
            assert!(!matches(pattern, subject), "{pattern} {subject}");
        }
    }
}
