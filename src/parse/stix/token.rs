//! The words of a STIX pattern (STIX 2.1 §9, and the grammar that OASIS keeps beside it).

use std::borrow::Cow;

use crate::parse::Reason;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, an object's type, a property, a truth value.
    Word(&'a str),
    /// `'text'`, its escapes undone.
    Text(Cow<'a, str>),
    /// `"property"`, as early patterns have it.
    Name(&'a str),
    /// `t'2024-01-31T10:00:00Z'`
    Moment(&'a str),
    /// `h'ff'`, `b'/w=='`
    Bytes,
    Number(&'a str),
    /// `= == != <> < <= > >=`
    Compare(&'a str),
    /// `[ ] ( ) : . , *`
    Sign(char),
    End,
}

/// Takes the first token off `rest`.
///
/// # Errors
/// [`Reason::Pattern`] where no token begins like this, or a text has no end.
pub(super) fn next<'a>(rest: &mut &'a str) -> Result<Token<'a>, Reason> {
    *rest = skip_blanks(rest)?;
    let text = *rest;
    let Some(first) = text.chars().next() else {
        return Ok(Token::End);
    };
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
    let number = |sign: char| sign.is_ascii_digit() || sign == '.';
    let compare = |sign: char| matches!(sign, '=' | '<' | '>' | '!');
    let (token, past) = match first {
        '\'' => quoted(text)?,
        '"' => {
            let end = text[1..].find('"').ok_or(Reason::Pattern)? + 1;
            (Token::Name(&text[1..end]), end + 1)
        }
        'a'..='z' | 'A'..='Z' | '_' => {
            let end = end_of(text, plain);
            let (word, rest) = text.split_at(end);
            match (word, rest.starts_with('\'')) {
                ("t" | "h" | "b", true) => {
                    let close = rest[1..].find('\'').ok_or(Reason::Pattern)? + 1;
                    let inner = &rest[1..close];
                    let token = if word == "t" {
                        Token::Moment(inner)
                    } else {
                        Token::Bytes
                    };
                    (token, end + close + 1)
                }
                _ => (Token::Word(word), end),
            }
        }
        '0'..='9' | '+' | '-' => {
            let end = 1 + end_of(&text[1..], number);
            (Token::Number(&text[..end]), end)
        }
        '=' | '<' | '>' | '!' => {
            let end = end_of(text, compare);
            (Token::Compare(&text[..end]), end)
        }
        '[' | ']' | '(' | ')' | ':' | '.' | ',' | '*' => (Token::Sign(first), 1),
        _ => return Err(Reason::Pattern),
    };
    *rest = &text[past..];
    Ok(token)
}

/// A text in single quotes; `\'` and `\\` are the escapes that there are.
fn quoted(text: &str) -> Result<(Token<'_>, usize), Reason> {
    let inner = &text[1..];
    let mut plain = String::new();
    let mut from = 0;
    let mut at = 0;
    loop {
        at += inner[at..].find(['\'', '\\']).ok_or(Reason::Pattern)?;
        if inner[at..].starts_with('\'') {
            break;
        }
        if inner[at + 1..].starts_with(['\'', '\\']) {
            plain.push_str(&inner[from..at]);
            from = at + 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    let text = if from == 0 {
        Cow::Borrowed(&inner[..at])
    } else {
        plain.push_str(&inner[from..at]);
        Cow::Owned(plain)
    };
    Ok((Token::Text(text), at + 2))
}

/// Blanks and comments.
fn skip_blanks(text: &str) -> Result<&str, Reason> {
    let mut rest = text.trim_start();
    loop {
        rest = if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").ok_or(Reason::Pattern)?.1
        } else if let Some(comment) = rest.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else {
            return Ok(rest);
        }
        .trim_start();
    }
}

fn end_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|sign| !belongs(sign)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token() {
        let mut rest = "/* a ' b */[x-y:a_b[*].'c\\'\\\\d\\e'.\"q\" = t'2024-01-31T10:00:00Z' // ' \n \
                        <> h'ff' AND -1.5 , (b'/w==') 'é' '']";
        let mut tokens = Vec::new();
        loop {
            match next(&mut rest).unwrap() {
                Token::End => break,
                token => tokens.push(token),
            }
        }
        let text = |text| Token::Text(Cow::Borrowed(text));
        let sign = Token::Sign;
        let expected = [
            sign('['),
            Token::Word("x-y"),
            sign(':'),
            Token::Word("a_b"),
            sign('['),
            sign('*'),
            sign(']'),
            sign('.'),
            text("c'\\d\\e"),
            sign('.'),
            Token::Name("q"),
            Token::Compare("="),
            Token::Moment("2024-01-31T10:00:00Z"),
            Token::Compare("<>"),
            Token::Bytes,
            Token::Word("AND"),
            Token::Number("-1.5"),
            sign(','),
            sign('('),
            Token::Bytes,
            sign(')'),
            text("é"),
            text(""),
            sign(']'),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn what_has_no_end_is_no_token() {
        for mut rest in ["'a", "'a\\'", "'\\", "\"a", "t'2024", "/* a", "{", "é", "$"] {
            assert_eq!(next(&mut rest), Err(Reason::Pattern), "{rest}");
        }
    }
}
