//! Strangers' text on a terminal: nothing in it may move the cursor, change colours, or hide.

use std::borrow::Cow;

/// The longest stranger's text that is shown, in characters.
const LONGEST: usize = 400;

/// Makes one line of `text` that is safe to print: characters that act (controls, escape sequences) or
/// cannot be seen (Unicode's format characters: directions, zero widths, tags) are written as `\u{…}`, and
/// what is longer than 400 characters is cut.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        None => escape_whole(text),
        Some((at, _)) => Cow::Owned(escape_whole(&text[..at]).into_owned() + "…"),
    }
}

/// The same without the cut, for a sentence of ours with a stranger's words in it.
#[must_use]
pub fn escape_whole(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for sign in text.chars() {
        if is_unsafe(sign) {
            safe.extend(sign.escape_default());
        } else {
            safe.push(sign);
        }
    }
    Cow::Owned(safe)
}

/// Controls (Unicode's Cc), format characters (Cf), and the two separators that break lines.
fn is_unsafe(sign: char) -> bool {
    sign.is_control()
        || matches!(sign,
            '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_or_hides_is_written_out() {
        for (raw, safe) in [
            (
                "plain, Ünïcode and 中文 stay",
                "plain, Ünïcode and 中文 stay",
            ),
            (
                "\u{1b}[2J\u{1b}]0;owned\u{7}",
                r"\u{1b}[2J\u{1b}]0;owned\u{7}",
            ),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("gpj\u{202e}exe", r"gpj\u{202e}exe"),
            ("pay\u{200b}pal", r"pay\u{200b}pal"),
            ("\u{e0041}tag", r"\u{e0041}tag"),
        ] {
            assert_eq!(escape(raw), safe);
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = "é".repeat(LONGEST + 1);
        let shown = escape(&long);
        assert_eq!(shown.chars().count(), LONGEST + 1);
        assert!(shown.ends_with("é…"));
        assert_eq!(escape(&long[..2 * LONGEST]), long[..2 * LONGEST]);
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_safe_text_stays(text in any::<String>()) {
            let once = escape(&text).into_owned();
            prop_assert!(!once.contains(is_unsafe));
            if text.chars().count() <= LONGEST && !text.contains(is_unsafe) {
                prop_assert_eq!(once, text);
            }
        }
    }
}
