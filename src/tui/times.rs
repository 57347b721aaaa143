//! What can be typed about places in time and branches: going there, branching off, changing a turn.

use crate::epaxos::command::Operation;
use crate::epaxos::id::ReplicaId;
use crate::multiverse::goal::Goal;
use crate::multiverse::what_if::Change;
use crate::script::grammar::Command;
use crate::script::words::Proposal;
use crate::tui::command::Form;

/// What is to be done about time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeWish {
    /// Another place is to be looked at.
    GoTo(Destination),
    /// A branch is to leave here, with this name where there is one.
    Branch(Option<String>),
    /// All branches are to be listed.
    Branches,
    /// The end of this branch is to be looked at.
    Switch(String),
    /// This branch is to be deleted.
    Delete(String),
    /// This branch, or the one that is looked at, is to be called otherwise.
    Rename(Option<String>, String),
    /// A turn is to be otherwise: this one, or the one at hand.
    WhatIf(Option<u64>, Change, Option<String>),
    /// The branch that is looked at is to happen once more on a fresh cluster.
    RunLive,
    /// Two branches are to be compared: this one, or the one that is left, and the one that is looked at
    /// or this.
    Compare(Option<String>, Option<String>),
    /// A schedule is to be looked for that makes this true.
    Find(Goal),
    /// Nothing is to be looked for any more.
    Cancel,
    /// The branch that is looked at is to be copied as one line.
    Token,
    /// It is to go on until this is true.
    Until(String),
    /// This place is to be found again, under this name where there is one.
    Bookmark(Option<String>),
}

/// A place in the branch that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Before anything happened.
    Start,
    /// Where nothing more has happened yet.
    End,
    /// What is going on now, where something is.
    Now,
    /// Where this entry was the last.
    Entry(u64),
    /// A bookmark.
    Bookmark(String),
}

/// The commands.
pub const FORMS: [Form; 14] = [
    Form {
        name: "goto",
        words: "#N|start|end|now|BOOKMARK",
        about: "Look at another place in time; nothing is disturbed by that",
    },
    Form { name: "bookmark", words: "[NAME]", about: "Find this place again, with goto" },
    Form { name: "branch", words: "[NAME]", about: "Begin a branch here, in the simulator" },
    Form { name: "branches", words: "", about: "List all branches" },
    Form {
        name: "switch",
        words: "NAME",
        about: "Look at the end of a branch; main is the run itself",
    },
    Form {
        name: "delete-branch",
        words: "NAME",
        about: "Delete a branch that no other one leaves",
    },
    Form { name: "rename-branch", words: "[NAME] NEW", about: "Call a branch otherwise" },
    Form {
        name: "compare",
        words: "[BRANCH] [BRANCH]",
        about: "How two branches differ; where none is named, this one and the one that it leaves",
    },
    Form {
        name: "find",
        words: "path=P|component>N|phase(I)=P|noop|violation|TERM",
        about: "Look for a schedule from here that makes this true, and open it as a branch",
    },
    Form { name: "cancel", words: "", about: "Do not look for it any more" },
    Form {
        name: "until",
        words: "path=P|component>N|phase(I)=P|noop|violation|TERM",
        about: "Go on until this is true",
    },
    Form { name: "token", words: "", about: "Copy this branch as one line, for replay" },
    Form {
        name: "run-live",
        words: "",
        about: "Run this branch on a fresh cluster over gRPC, and compare every state",
    },
    Form {
        name: "what-if",
        words: "[#N] drop|duplicate|delay|swap|crash [R]|change OP|add OP [@R] [as NAME]",
        about: "Change one entry, keep the rest as far as it is possible, and run that to its end",
    },
];

/// What a verb means with what follows it; `None` for one that is not about time.
pub fn parse(verb: &str, rest: &str) -> Option<Result<TimeWish, String>> {
    let form = FORMS.iter().find(|form| form.name == verb)?;
    // What begins with # is no comment here.
    let escaped = rest.strip_prefix('#').map(|rest| format!("\\#{rest}"));
    let Some(words) = shlex::split(escaped.as_deref().unwrap_or(rest)) else {
        return Some(Err("a quotation mark has no partner".to_owned()));
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let wish = match (verb, words.as_slice()) {
        ("goto", [goal]) => goal_of(goal).map(TimeWish::GoTo),
        ("bookmark", []) => Ok(TimeWish::Bookmark(None)),
        ("bookmark", [name]) => bookmark(name).map(TimeWish::Bookmark),
        ("branch", []) => Ok(TimeWish::Branch(None)),
        ("branch", [name]) => Ok(TimeWish::Branch(Some((*name).to_owned()))),
        ("branches", []) => Ok(TimeWish::Branches),
        ("compare", []) => Ok(TimeWish::Compare(None, None)),
        ("compare", [one]) => Ok(TimeWish::Compare(Some((*one).to_owned()), None)),
        ("compare", [one, other]) => {
            Ok(TimeWish::Compare(Some((*one).to_owned()), Some((*other).to_owned())))
        }
        ("find", _) => Goal::parse(rest).map(TimeWish::Find),
        ("until", _) => Goal::parse(rest).map(|_| TimeWish::Until(rest.to_owned())),
        ("token", []) => Ok(TimeWish::Token),
        ("cancel", []) => Ok(TimeWish::Cancel),
        ("run-live", []) => Ok(TimeWish::RunLive),
        ("switch", [name]) => Ok(TimeWish::Switch((*name).to_owned())),
        ("delete-branch", [name]) => Ok(TimeWish::Delete((*name).to_owned())),
        ("rename-branch", [new]) => Ok(TimeWish::Rename(None, (*new).to_owned())),
        ("rename-branch", [old, new]) => {
            Ok(TimeWish::Rename(Some((*old).to_owned()), (*new).to_owned()))
        }
        ("what-if", words) => what_if(words),
        _ => Err(written(form)),
    };
    Some(wish)
}

fn written(form: &Form) -> String {
    format!("it is written: {} {}", form.name, form.words).trim_end().to_owned()
}

fn goal_of(word: &str) -> Result<Destination, String> {
    let number = word.strip_prefix('#').unwrap_or(word);
    Ok(match word {
        "start" => Destination::Start,
        "end" => Destination::End,
        "now" => Destination::Now,
        _ if number.starts_with(|c: char| c.is_ascii_digit()) => Destination::Entry(entry(number)?),
        name => Destination::Bookmark(name.to_owned()),
    })
}

/// A name that goto does not read as anything else.
fn bookmark(name: &str) -> Result<Option<String>, String> {
    match goal_of(name) {
        Ok(Destination::Bookmark(_)) if !name.starts_with('#') => Ok(Some(name.to_owned())),
        _ => Err(format!("\"{name}\" is no name for a bookmark: goto means something else by it")),
    }
}

fn entry(number: &str) -> Result<u64, String> {
    number.parse().map_err(|_| format!("\"{number}\" is no entry, such as #12"))
}

fn what_if(words: &[&str]) -> Result<TimeWish, String> {
    let (at, words) = match words {
        [first, rest @ ..] if first.starts_with('#') => (Some(entry(&first[1..])?), rest),
        words => (None, words),
    };
    let (name, words) = match words {
        [rest @ .., "as", name] => (Some((*name).to_owned()), rest),
        words => (None, words),
    };
    let change = match words {
        ["drop"] => Change::Drop,
        ["duplicate" | "dup"] => Change::Duplicate,
        ["delay"] => Change::Delay,
        ["swap"] => Change::Swap,
        ["crash"] => Change::Crash(None),
        ["crash", id] => Change::Crash(Some(replica(id)?)),
        ["change", operations @ ..] if !operations.is_empty() => {
            Change::Propose(operations.iter().map(|it| operation(it)).collect::<Result<_, _>>()?)
        }
        ["add", operations @ .., at] if !operations.is_empty() && at.starts_with('@') => {
            let operations = operations.iter().map(|it| operation(it)).collect::<Result<_, _>>()?;
            Change::Add(replica(&at[1..])?, operations)
        }
        ["add", ..] => {
            return Err("add needs operations and a replica: add \"put x 2\" @R1".to_owned());
        }
        _ => return Err(written(FORMS.last().expect("there are forms"))),
    };
    Ok(TimeWish::WhatIf(at, change, name))
}

fn replica(word: &str) -> Result<ReplicaId, String> {
    word.parse().map_err(|error: crate::epaxos::id::ParseIdError| error.to_string())
}

fn operation(words: &str) -> Result<Operation, String> {
    let command = Command::parse(words).map_err(|error| error.to_string())?;
    let proposal = command.as_ref().and_then(Command::proposal);
    if let Some((_, Some(at))) = proposal {
        return Err(format!(
            "leave out \"@{at}\": change keeps the replica, and add names it last"
        ));
    }
    if let Some((Proposal { request: Some(request), .. }, _)) = &proposal {
        return Err(format!("leave out \"as={request}\": the request gets a name of its own"));
    }
    let none = || format!("\"{words}\" is no operation, such as \"put x 2\"");
    proposal.map(|(proposal, _)| proposal.operation).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(line: &str) -> TimeWish {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        parse(verb, rest).expect("it is about time").expect(line)
    }

    fn refused(line: &str) -> String {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        parse(verb, rest).expect("it is about time").expect_err(line)
    }

    #[test]
    fn words_are_understood() {
        assert_eq!(wished("goto #12"), TimeWish::GoTo(Destination::Entry(12)));
        assert_eq!(wished("goto 12"), TimeWish::GoTo(Destination::Entry(12)));
        assert_eq!(wished("goto slow"), TimeWish::GoTo(Destination::Bookmark("slow".to_owned())));
        assert_eq!(wished("branch"), TimeWish::Branch(None));
        let put = vec![Operation::put("x", "2")];
        assert_eq!(
            wished("what-if #3 change \"put x 2\" as other"),
            TimeWish::WhatIf(Some(3), Change::Propose(put.clone()), Some("other".to_owned()))
        );
        assert_eq!(
            wished("what-if add 'put x 2' @R1"),
            TimeWish::WhatIf(None, Change::Add(ReplicaId(1), put), None)
        );
        assert_eq!(
            wished("what-if crash R2"),
            TimeWish::WhatIf(None, Change::Crash(Some(ReplicaId(2))), None)
        );
        assert!(parse("step", "").is_none());
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        assert_eq!(refused("goto"), "it is written: goto #N|start|end|now|BOOKMARK");
        assert!(refused("what-if explode").starts_with("it is written: what-if"));
        assert!(refused("what-if add 'put x 2'").contains("@R1"));
        assert!(refused("what-if change nonsense").contains("nonsense"));
        assert!(refused("what-if #many drop").contains("many"));
        for name in ["start", "now", "end", "12abc", "7", "'#3'"] {
            let refused = refused(&format!("bookmark {name}"));
            assert!(refused.contains("goto means something else by it"), "{refused}");
        }
        assert_eq!(wished("bookmark slow"), TimeWish::Bookmark(Some("slow".to_owned())));
        assert!(refused("what-if #0 change 'put x 1 @R3'").starts_with("leave out \"@R3\""));
        assert!(refused("what-if add 'put x 1 @R3' @R1").starts_with("leave out \"@R3\""));
    }
}
