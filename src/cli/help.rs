//! `feedwall help`: a command's help, or one topic of the operations page, such as what to do about a held feed.

use anyhow::bail;
use clap::CommandFactory as _;

use super::ask::{advice, shown};
use super::{Cli, Exit, print};

/// `feedwall help`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A command, or a topic: what `status` names, or one of `feedwall help topics`.
    #[arg(value_name = "COMMAND|TOPIC")]
    words: Vec<String>,
}

/// The operations page. Its headings of the third rank are the topics.
const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// One section of the page.
struct Topic {
    /// As a link to it ends: `feed-held`.
    name: String,
    title: &'static str,
    text: &'static str,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut command = Cli::command();
    command.build();
    let mut at = command;
    let topics = topics();
    if let [word] = args.words.as_slice() {
        if word == "topics" {
            let wide = topics
                .iter()
                .map(|topic| topic.name.len())
                .max()
                .unwrap_or(0);
            for Topic { name, title, .. } in &topics {
                print(format_args!("  {name:wide$}  {title}"))?;
            }
            return Ok(Exit::Done);
        }
        let name = word.replace('_', "-");
        if let Some(topic) = topics.iter().find(|topic| topic.name == name) {
            print(format_args!("{}\n\n{}", topic.title, topic.text.trim()))?;
            return Ok(Exit::Done);
        }
    }
    for word in &args.words {
        let Some(below) = at.find_subcommand(word).cloned() else {
            let known = at.get_subcommands().map(|one| one.get_name().to_owned());
            let topics = topics.iter().map(|topic| topic.name.clone());
            let known: Vec<String> = known.chain(topics).collect();
            let advice = match crate::config::nearest(word, known.iter().map(String::as_str)) {
                Some(_) => advice(word, &known),
                None => "`feedwall help` names the commands, `feedwall help topics` the topics"
                    .to_owned(),
            };
            bail!("there is no help on `{}`; {advice}", shown(word));
        };
        at = below;
    }
    print(at.render_long_help().ansi().to_string().trim_end())?;
    Ok(Exit::Done)
}

/// The sections under headings of the third rank, in the page's order.
fn topics() -> Vec<Topic> {
    let sections = OPERATIONS.split("\n### ").skip(1);
    sections
        .filter_map(|section| {
            let (title, text) = section.split_once('\n')?;
            let text = text.split_once("\n## ").map_or(text, |(text, _)| text);
            Some(Topic {
                name: slug(title),
                title,
                text,
            })
        })
        .collect()
}

/// What a link to a heading ends with, as GitHub and most others make it.
fn slug(title: &str) -> String {
    let kept = title
        .chars()
        .filter(|sign| sign.is_alphanumeric() || *sign == ' ' || *sign == '-');
    kept.flat_map(char::to_lowercase)
        .map(|sign| if sign == ' ' { '-' } else { sign })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::status::needs::Kind;

    use super::*;

    #[test]
    fn every_trouble_of_status_has_its_section() {
        let topics = topics();
        for kind in Kind::ALL {
            let topic = topics.iter().find(|topic| topic.name == kind.topic());
            let topic = topic
                .unwrap_or_else(|| panic!("operations.md lacks a section for {}", kind.topic()));
            assert!(
                topic.text.trim().lines().count() >= 4,
                "{} says too little",
                kind.topic()
            );
        }
    }

    #[test]
    fn a_topic_fits_a_terminal() {
        for topic in topics() {
            for line in topic.text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", topic.name);
            }
        }
    }

    /// In code, that is; prose names the program, too.
    #[test]
    fn every_command_that_the_page_names_is_one() {
        let mut command = Cli::command();
        command.build();
        let mut named = 0;
        for code in OPERATIONS.split('`').skip(1).step_by(2).chain(
            OPERATIONS
                .lines()
                .filter_map(|line| line.strip_prefix("    ")),
        ) {
            let Some(words) = code.strip_prefix("feedwall ") else {
                continue;
            };
            let word = words.split(' ').next().unwrap();
            assert!(command.find_subcommand(word).is_some(), "`{code}`");
            named += 1;
        }
        assert!(named > 20, "{named}");
    }

    #[test]
    fn no_topic_hides_a_command() {
        let mut command = Cli::command();
        command.build();
        for topic in topics() {
            assert!(
                command.find_subcommand(&topic.name).is_none(),
                "{}",
                topic.name
            );
        }
    }
}
