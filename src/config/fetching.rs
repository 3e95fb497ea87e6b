//! `[fetch]`

use super::section::{Item, Problems, Section};
use super::value::{text, wrong};
use super::{Fetch, defaults};

/// Reads `[fetch]`.
pub(super) fn read(section: &mut Section<'_>) -> Fetch {
    let contact = section.read("contact", defaults::CONTACT, contact);
    Fetch {
        contact: contact.value,
    }
}

/// A mail address or a web page. It stands in a comment of `User-Agent` (RFC 9110 §10.1.5), which parentheses would end.
fn contact(item: &Item<'_>) -> Result<Option<String>, Problems> {
    let takes = r#"a mail address or the https URL of a page, such as "soc@example.org""#;
    let written = text(item, takes)?;
    if written == "off" {
        return Ok(None);
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"()<>\"\\".contains(&byte);
    let reachable =
        written.contains('@') || written.starts_with("https://") || written.starts_with("http://");
    if reachable && written.bytes().all(plain) && written.len() <= 200 {
        return Ok(Some(written.to_owned()));
    }
    wrong(format!("takes {takes}, or \"off\""))
}
