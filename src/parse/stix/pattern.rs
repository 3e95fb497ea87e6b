//! The grammar of STIX patterns, each rule of which gives what it accuses.

use std::borrow::Cow;

use super::claim::{Claim, Host, Kind};
use super::token::{self, Token};
use crate::parse::{Reason, Recipe, value};

/// Reads a pattern.
///
/// # Errors
/// [`Reason::Pattern`] where it is none; otherwise why its hosts cannot be listed.
pub(super) fn read(recipe: &Recipe, pattern: &str) -> Result<Claim, Reason> {
    let mut parser = Parser {
        recipe,
        rest: pattern,
        token: Token::End,
        depth: 0,
    };
    parser.advance()?;
    let claim = parser.observations()?;
    parser.expect(&Token::End)?;
    Ok(claim)
}

struct Parser<'a> {
    recipe: &'a Recipe,
    rest: &'a str,
    /// The token at which the parser stands.
    token: Token<'a>,
    depth: usize,
}

/// What a path leads to.
enum Property {
    Host(Kind),
    Detail(Option<Kind>),
    Elsewhere,
}

/// What an operator asks of a property.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    /// To be one of the values.
    Is,
    /// To lie in the network that is the value.
    Subset,
    /// Anything else.
    Other,
}

/// A step of a path.
enum Part<'a> {
    Key(Cow<'a, str>),
    Index,
}

impl<'a> Parser<'a> {
    /// `a FOLLOWEDBY b`, which binds least.
    fn observations(&mut self) -> Result<Claim, Reason> {
        let mut claim = self.either()?;
        while self.takes_word("FOLLOWEDBY")? {
            claim = claim.and(self.either()?)?;
        }
        Ok(claim)
    }

    fn either(&mut self) -> Result<Claim, Reason> {
        let mut claim = self.both()?;
        while self.takes_word("OR")? {
            claim = claim.or(self.both()?);
        }
        Ok(claim)
    }

    fn both(&mut self) -> Result<Claim, Reason> {
        let mut claim = self.observation()?;
        while self.takes_word("AND")? {
            claim = claim.and(self.observation()?)?;
        }
        Ok(claim)
    }

    /// `[…]` or `(…)`, and what qualifies it.
    fn observation(&mut self) -> Result<Claim, Reason> {
        let mut claim = if self.takes('[')? {
            let claim = self.comparisons()?.observed();
            self.expect(&Token::Sign(']'))?;
            claim
        } else {
            self.expect(&Token::Sign('('))?;
            self.nested(Self::observations)?
        };
        loop {
            claim = if self.takes_word("WITHIN")? {
                self.number()?;
                self.expect_word("SECONDS")?;
                claim
            } else if self.takes_word("REPEATS")? {
                let once = self.number()? == "1";
                self.expect_word("TIMES")?;
                if once { claim } else { claim.repeated()? }
            } else if self.takes_word("START")? {
                self.moment()?;
                self.expect_word("STOP")?;
                let end = value::moment(&self.moment()?)?;
                claim.until(end.ok_or(Reason::Date)?)
            } else {
                return Ok(claim);
            };
        }
    }

    fn comparisons(&mut self) -> Result<Claim, Reason> {
        let mut claim = self.all_comparisons()?;
        while self.takes_word("OR")? {
            claim = claim.or(self.all_comparisons()?);
        }
        Ok(claim)
    }

    fn all_comparisons(&mut self) -> Result<Claim, Reason> {
        let mut claim = self.comparison()?;
        while self.takes_word("AND")? {
            claim = claim.and(self.comparison()?)?;
        }
        Ok(claim)
    }

    fn comparison(&mut self) -> Result<Claim, Reason> {
        if self.takes('(')? {
            return self.nested(Self::comparisons);
        }
        let exists = self.takes_word("EXISTS")?;
        let property = self.path()?;
        let negated = !exists && self.takes_word("NOT")?;
        let (test, values) = if exists {
            (Test::Other, Vec::new())
        } else {
            self.test()?
        };
        let kind = match property {
            Property::Host(kind) => kind,
            Property::Detail(kind) => return Ok(Claim::Detail(kind)),
            Property::Elsewhere => return Ok(Claim::Elsewhere),
        };
        let nets = matches!(kind, Kind::Address | Kind::End);
        let lists = test == Test::Is || (test == Test::Subset && nets);
        if negated || !lists {
            return Err(Reason::Compares);
        }
        let hosts = values.iter().map(|value| match value {
            Token::Text(text) => {
                let indicator = kind.read(self.recipe, text)?;
                let until = None;
                Ok(Host {
                    indicator,
                    kind,
                    until,
                })
            }
            _ => Err(Reason::Pattern),
        });
        hosts.collect::<Result<_, _>>().map(Claim::Hosts)
    }

    /// An operator, and the literals behind it.
    fn test(&mut self) -> Result<(Test, Vec<Token<'a>>), Reason> {
        let test = match self.take()? {
            Token::Compare("=" | "==") => Test::Is,
            Token::Compare("!=" | "<>" | "<" | "<=" | ">" | ">=") => Test::Other,
            Token::Word(word) if word.eq_ignore_ascii_case("IN") => {
                return Ok((Test::Is, self.set()?));
            }
            Token::Word(word) if matches!(self.token, Token::Text(_)) => {
                match word.to_ascii_uppercase().as_str() {
                    "ISSUBSET" => Test::Subset,
                    "ISSUPERSET" | "LIKE" | "MATCHES" => Test::Other,
                    _ => return Err(Reason::Pattern),
                }
            }
            _ => return Err(Reason::Pattern),
        };
        Ok((test, vec![self.literal()?]))
    }

    fn set(&mut self) -> Result<Vec<Token<'a>>, Reason> {
        let mut values = Vec::new();
        self.expect(&Token::Sign('('))?;
        if self.takes(')')? {
            return Ok(values);
        }
        loop {
            values.push(self.literal()?);
            if self.takes(')')? {
                return Ok(values);
            }
            self.expect(&Token::Sign(','))?;
        }
    }

    fn literal(&mut self) -> Result<Token<'a>, Reason> {
        let token = self.take()?;
        let truth =
            |word: &str| word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false");
        match &token {
            Token::Text(_) | Token::Moment(_) | Token::Bytes | Token::Number(_) => Ok(token),
            Token::Word(word) if truth(word) => Ok(token),
            _ => Err(Reason::Pattern),
        }
    }

    /// `type:property.'property'[0][*]`
    fn path(&mut self) -> Result<Property, Reason> {
        let Token::Word(kind) = self.take()? else {
            return Err(Reason::Pattern);
        };
        self.expect(&Token::Sign(':'))?;
        let mut parts = vec![Part::Key(self.key()?)];
        loop {
            if self.takes('.')? {
                parts.push(Part::Key(self.key()?));
            } else if self.takes('[')? {
                if !matches!(self.take()?, Token::Number(_) | Token::Sign('*')) {
                    return Err(Reason::Pattern);
                }
                self.expect(&Token::Sign(']'))?;
                parts.push(Part::Index);
            } else {
                return Ok(Property::of(kind, &parts));
            }
        }
    }

    fn key(&mut self) -> Result<Cow<'a, str>, Reason> {
        match self.take()? {
            Token::Word(key) | Token::Name(key) => Ok(Cow::Borrowed(key)),
            Token::Text(key) => Ok(key),
            _ => Err(Reason::Pattern),
        }
    }

    fn number(&mut self) -> Result<&'a str, Reason> {
        match self.take()? {
            Token::Number(number) => Ok(number),
            _ => Err(Reason::Pattern),
        }
    }

    /// STIX 2.1 has `t'…'` here, and the grammar of 2.0 a plain text.
    fn moment(&mut self) -> Result<Cow<'a, str>, Reason> {
        match self.take()? {
            Token::Moment(moment) => Ok(Cow::Borrowed(moment)),
            Token::Text(moment) => Ok(moment),
            _ => Err(Reason::Pattern),
        }
    }

    /// What stands in parentheses, of which the first is taken already.
    fn nested(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<Claim, Reason>,
    ) -> Result<Claim, Reason> {
        const DEEPEST: usize = 64;
        if self.depth == DEEPEST {
            return Err(Reason::Pattern);
        }
        self.depth += 1;
        let claim = inner(self)?;
        self.depth -= 1;
        self.expect(&Token::Sign(')'))?;
        Ok(claim)
    }

    fn advance(&mut self) -> Result<(), Reason> {
        self.token = token::next(&mut self.rest)?;
        Ok(())
    }

    fn take(&mut self) -> Result<Token<'a>, Reason> {
        let token = std::mem::replace(&mut self.token, Token::End);
        self.advance()?;
        Ok(token)
    }

    fn takes(&mut self, sign: char) -> Result<bool, Reason> {
        let there = self.token == Token::Sign(sign);
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn takes_word(&mut self, keyword: &str) -> Result<bool, Reason> {
        let there = matches!(self.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        if there {
            self.advance()?;
        }
        Ok(there)
    }

    fn expect(&mut self, token: &Token<'_>) -> Result<(), Reason> {
        if self.token == *token {
            return self.advance();
        }
        Err(Reason::Pattern)
    }

    fn expect_word(&mut self, keyword: &str) -> Result<(), Reason> {
        let there = self.takes_word(keyword)?;
        there.then_some(()).ok_or(Reason::Pattern)
    }
}

impl Property {
    fn of(kind: &str, parts: &[Part<'_>]) -> Self {
        let host = Kind::of_object(kind);
        let keys: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Key(key) => &**key,
                Part::Index => "[]",
            })
            .collect();
        match (kind, host, keys.as_slice()) {
            (_, Some(kind), ["value"]) => Self::Host(kind),
            (_, Some(kind), _) => Self::Detail(Some(kind)),
            ("network-traffic", None, ["dst_ref" | "src_ref", "value"]) => Self::Host(Kind::End),
            (
                "network-traffic",
                None,
                ["dst_ref" | "src_ref", "type"]
                | ["dst_port" | "src_port"]
                | ["protocols"]
                | ["protocols", "[]"],
            ) => Self::Detail(None),
            _ => Self::Elsewhere,
        }
    }
}
