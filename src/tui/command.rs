//! What can be typed at the prompt beside the script language: whatever a key does, by its name, and
//! some commands of the screen that take a word more.

use crate::epaxos::id::{ParseIdError, ReplicaId};
use crate::script::grammar::Command;
use crate::tui::app::{Export, Save};
use crate::tui::deed::{Deed, Screen};
use crate::tui::keys::Keys;
use crate::tui::theme::Theme;
use crate::tui::times;
use crate::tui::times::TimeWish;

/// What a line comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The world is to do something.
    World(Command),
    /// The screen is.
    Screen(Wish),
}

/// What the screen is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// What a key could do as well.
    Deed(Deed),
    /// Instances are to be seen with the eyes of one replica, or with everybody's.
    Observe(Option<ReplicaId>),
    /// Other colours.
    Theme(Theme),
    /// The list that has the focus shows only what meets this.
    Filter(String),
    /// This many steps a second.
    Speed(String),
    /// A picture is to be saved.
    Save(Save),
    /// Another place in time is to be looked at, or made.
    Time(TimeWish),
    /// What was seen is to be written down for another program.
    Export(Export),
}

/// A command of the screen that takes more words: its name, what can follow, and what it does.
pub struct Form {
    /// Its name.
    pub name: &'static str,
    /// What follows.
    pub words: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
}

/// The commands of the screen that take more words, but for those about time.
const FORMS: [Form; 9] = [
    Form { name: "screen", words: "NAME", about: "Go to a screen" },
    Form { name: "observer", words: "R|all", about: "See with the eyes of one replica, or of all" },
    Form { name: "theme", words: "NAME", about: "Use other colours" },
    Form { name: "filter", words: "TEXT", about: "Narrow the list that has the focus" },
    Form { name: "speed", words: "STEPS", about: "Play so many steps a second, or faster, slower" },
    Form { name: "save", words: "FILE", about: "Save the screen as text or as a picture" },
    Form { name: "save!", words: "FILE", about: "The same, in place of a file that there is" },
    Form {
        name: "export",
        words: "AS [FILE]",
        about: "Write it for others: as shiviz, mermaid, dot, svg, csv, recording, script or rust",
    },
    Form { name: "export!", words: "AS FILE", about: "The same, in place of a file that there is" },
];

/// All commands of the screen that take more words.
pub fn forms() -> impl Iterator<Item = &'static Form> {
    FORMS.iter().chain(&times::FORMS)
}

/// Reads one line; `None` for one that says nothing. The error is one sentence.
pub fn parse(line: &str) -> Result<Option<Line>, String> {
    let line = line.trim();
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if let Some(wish) = wish(verb, rest.trim()) {
        return wish.map(|wish| Some(Line::Screen(wish)));
    }
    let command = Command::parse(line).map_err(|error| error.to_string());
    match (command, Deed::parse(line)) {
        // What says too little for the script language may be enough for the screen, where something
        // is selected.
        (Err(_), Some(deed)) => Ok(Some(Line::Screen(Wish::Deed(deed)))),
        (command, _) => Ok(command?.map(Line::World)),
    }
}

/// What a verb of the screen means with what follows it; `None` for a verb of the script language, and
/// for one that nobody knows.
fn wish(verb: &str, rest: &str) -> Option<Result<Wish, String>> {
    let wish = match (verb, rest) {
        ("q", "") => Ok(Wish::Deed(Deed::Quit)),
        ("screen" | "show", name) => screen(name).map(Deed::Show).map(Wish::Deed),
        ("observer", word) => observer(word).map(Wish::Observe),
        ("theme", name) => theme(name).map(Wish::Theme),
        ("filter", text) if !text.is_empty() => Ok(Wish::Filter(text.to_owned())),
        ("speed", "faster") => Ok(Wish::Deed(Deed::Faster)),
        ("speed", "slower") => Ok(Wish::Deed(Deed::Slower)),
        ("speed", rate) => Ok(Wish::Speed(rate.to_owned())),
        ("save" | "save!", file) if !file.is_empty() => {
            Save::parse(file, verb == "save!").map(Wish::Save)
        }
        ("export" | "export!", words) if !words.is_empty() => {
            Export::parse(words, verb == "export!").map(Wish::Export)
        }
        ("export!", _) => {
            Err("export! needs a format and a file, such as dot graph.dot".to_owned())
        }
        ("save!", _) => Err("save! needs the name of a file, such as picture.svg".to_owned()),
        (verb, rest) => {
            // Without a word more, what a key does is meant.
            let alone = rest.is_empty() && Deed::parse(verb).is_some();
            if let Some(wish) = times::parse(verb, rest).filter(|_| !alone) {
                return Some(wish.map(Wish::Time));
            }
            let deed = Deed::parse(verb)?;
            if Command::list().iter().any(|(name, _)| name == verb) {
                return None;
            }
            if rest.is_empty() {
                Ok(Wish::Deed(deed))
            } else {
                Err(format!("nothing can follow {verb}, and here is \"{rest}\""))
            }
        }
    };
    Some(wish)
}

fn screen(name: &str) -> Result<Screen, String> {
    let names = || Screen::ALL.map(|screen| screen.name().to_lowercase());
    Screen::parse(name).ok_or_else(|| no_such("screen", name, &names()))
}

fn theme(name: &str) -> Result<Theme, String> {
    Theme::parse(name).ok_or_else(|| no_such("theme", name, &Theme::ALL.map(Theme::name)))
}

fn observer(word: &str) -> Result<Option<ReplicaId>, String> {
    match word {
        "all" => Ok(None),
        "" => Err("observer needs a replica, such as R2, or all".to_owned()),
        word => word.parse().map(Some).map_err(|error: ParseIdError| error.to_string()),
    }
}

fn no_such<T: AsRef<str>>(what: &str, name: &str, names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let names = names.join(", ");
    match name {
        "" => format!("{what} needs one of {names}"),
        name => format!("there is no {what} \"{name}\"; there are {names}"),
    }
}

/// The names of all that can be done beside the script language, each once.
pub fn names() -> Vec<&'static str> {
    let deeds = Deed::all().map(Deed::name);
    let deeds = deeds.filter(|name| forms().all(|form| form.name != *name));
    forms().map(|form| form.name).chain(deeds).collect()
}

/// What can be asked for help on beside the script language, a line each.
pub fn help(keys: &Keys) -> Vec<String> {
    let forms = forms()
        .map(|Form { name, words, about }| format!("{:16} {about}", format!("{name} {words}")));
    let deeds = Deed::all().map(|deed| format!("{:16} {}", deed.name(), keys.about(deed)));
    forms.chain(deeds).collect()
}

/// How a command of the screen is written, and what it does.
pub fn explain(name: &str, keys: &Keys) -> Option<Vec<String>> {
    let forms = forms().filter(|form| form.name == name);
    let mut lines: Vec<String> =
        forms.map(|Form { name, words, about }| format!("{name} <{words}>: {about}")).collect();
    lines.extend(Deed::parse(name).map(|deed| format!("{name}: {}", keys.about(deed))));
    Some(lines).filter(|lines| !lines.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Format;
    use crate::tui::app::Written;

    fn wished(line: &str) -> Wish {
        match parse(line) {
            Ok(Some(Line::Screen(wish))) => wish,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(line: &str) -> String {
        parse(line).expect_err(line)
    }

    /// Every action is a command: by its own name, or by a script command that does the same.
    #[test]
    fn every_deed_can_be_typed() {
        let scripts: Vec<String> = Command::list().into_iter().map(|(name, _)| name).collect();
        for deed in Deed::all() {
            match parse(deed.name()) {
                Ok(Some(Line::Screen(wish))) => assert_eq!(wish, Wish::Deed(deed)),
                Ok(Some(Line::World(command))) => {
                    assert!([Deed::Step, Deed::Round, Deed::Release].contains(&deed), "{command}");
                }
                other => panic!("{deed:?}: {other:?}"),
            }
        }
        for form in forms() {
            assert!(!scripts.contains(&form.name.to_owned()), "{}", form.name);
        }
    }

    #[test]
    fn the_script_language_comes_first() {
        for line in ["step 3", "drop kind=Commit", "why R0.0", "wake R1", "hold", "release"] {
            assert!(matches!(parse(line), Ok(Some(Line::World(_)))), "{line}");
        }
        assert_eq!(parse("# nothing"), Ok(None));
        assert!(refused("drop R0").contains("R0"));
    }

    #[test]
    fn words_are_understood() {
        assert_eq!(wished("screen space-time"), Wish::Deed(Deed::Show(Screen::SpaceTime)));
        assert_eq!(wished("show Graph"), Wish::Deed(Deed::Show(Screen::Graph)));
        assert_eq!(wished("observer R2"), Wish::Observe(Some(ReplicaId(2))));
        assert_eq!(wished("observer all"), Wish::Observe(None));
        assert_eq!(wished("theme contrast"), Wish::Theme(Theme::Contrast));
        assert_eq!(wished("filter  key:x  !Commit"), Wish::Filter("key:x  !Commit".to_owned()));
        assert_eq!(wished("filter"), Wish::Deed(Deed::OpenFilter));
        assert_eq!(wished("speed slower"), Wish::Deed(Deed::Slower));
        assert_eq!([wished("q"), wished("quit")], [Wish::Deed(Deed::Quit), Wish::Deed(Deed::Quit)]);
        assert_eq!(wished("drop"), Wish::Deed(Deed::Drop));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        assert_eq!(
            refused("screen moon"),
            "there is no screen \"moon\"; there are cockpit, space-time, graph, metrics, store, log, faults, checks"
        );
        assert_eq!(refused("theme"), "theme needs one of dark, light, mono, contrast");
        assert_eq!(refused("walk 3"), "nothing can follow walk, and here is \"3\"");
        assert!(refused("observer nobody").contains("nobody"));
        assert!(refused("nonsense").contains("there is no command 'nonsense'"));
        let export = Export {
            format: Written::Seen(Format::Mermaid),
            file: Some("my run.mmd".to_owned()),
            replace: false,
        };
        assert_eq!(wished("export mermaid 'my run.mmd'"), Wish::Export(export));
        assert_eq!(wished("export"), Wish::Deed(Deed::Export));
        assert_eq!(
            refused("export png"),
            "there is no format \"png\"; there are shiviz, mermaid, dot, svg, csv, recording, script, rust"
        );
        assert_eq!(refused("export! dot"), "export! dot needs the name of a file");
        assert_eq!(refused("save picture.png"), "\"picture.png\" should end in .txt or .svg");
    }
}
