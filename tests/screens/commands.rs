//! What is typed for the screen itself, keys that a file has changed, and what is copied and saved.

use epaxos_tui::export::Format;
use epaxos_tui::tui::app::{Effect, Export, Mode, Over, Save, Written};
use epaxos_tui::tui::deed::{Deed, Screen};
use epaxos_tui::tui::keys::{Context, Keys};
use epaxos_tui::tui::layout::Pane;
use epaxos_tui::tui::picture;
use epaxos_tui::tui::theme::Theme;

use proptest::prelude::*;

use crate::drive::Drive;
use crate::picture::text;
use crate::stage::Stage;

const LARGE: (u16, u16) = (120, 40);

fn typed(drive: &mut Drive, line: &str) {
    drive.press("i C-u");
    drive.type_in(line);
    drive.press("Enter");
}

/// The text that was copied last.
fn copied(drive: &mut Drive, keys: &str) -> String {
    drive.press(keys);
    match drive.effects.pop() {
        Some(Effect::Copy(text)) => text,
        other => panic!("{other:?} after {keys}: {}", drive.text()),
    }
}

#[test]
fn what_a_key_does_can_be_typed() {
    let mut drive = Drive::conflict(LARGE);
    typed(&mut drive, "screen graph");
    assert_eq!((drive.app.screen, drive.app.mode), (Screen::Graph, Mode::Prompt));
    typed(&mut drive, "walk");
    assert!(drive.app.can(Deed::WalkOn), "the walk is shown");
    typed(&mut drive, "show-space-time");
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    typed(&mut drive, "cone");
    assert!(drive.app.space_time.cone);
    typed(&mut drive, "filter kind:Commit");
    assert_eq!(drive.app.filters.text(Pane::SpaceTime), "kind:Commit");
    typed(&mut drive, "observer R2");
    assert_eq!(drive.app.observer.map(|id| id.to_string()).as_deref(), Some("R2"));
    typed(&mut drive, "observer all");
    assert_eq!(drive.app.observer, None);
    typed(&mut drive, "theme light");
    assert_eq!(drive.app.theme, Theme::Light);
    drive.press("Esc C");
    assert_eq!(drive.app.theme, Theme::Mono);
    typed(&mut drive, "speed 20");
    assert!(drive.text().contains("plays at 20 steps/s"));
    typed(&mut drive, "speed slower");
    assert!(drive.text().contains("plays at 10 steps/s"));
    typed(&mut drive, "quit");
    assert_eq!(drive.effects, [Effect::Quit]);
}

#[test]
fn a_word_that_the_script_language_knows_is_its_own() {
    let mut drive = Drive::held(LARGE);
    let before = drive.stage.view().log.len();
    typed(&mut drive, "step");
    assert_eq!(drive.stage.view().log.len(), before + 1);
    assert_eq!(drive.app.mode, Mode::Prompt, "more commands may follow");
    // By itself, it says too little there, and enough here: one message is selected.
    let held = drive.app.view.in_flight.len();
    typed(&mut drive, "drop");
    assert_eq!((drive.app.view.in_flight.len(), drive.app.mode), (held - 1, Mode::Prompt));
    let mut drive = Drive::new(LARGE);
    typed(&mut drive, "drop");
    assert_eq!(drive.app.prompt.text(), "drop");
    assert!(drive.text().contains("it is written: drop"), "{}", drive.text());
}

/// What is typed after a command is never taken for keys, whatever the command was.
#[test]
fn the_prompt_stays_open_after_every_kind_of_command() {
    for line in [
        "put y 2",
        "pause",
        "status R0.0",
        "goto #2",
        "goto start",
        "goto now",
        "bookmark here",
        "branch",
        "switch main",
        "rename-branch main trunk",
        "what-if #0 change 'put x 7'",
        "find path=slow",
        "until path=slow",
        "export svg",
        "token",
        "run-live",
        "compare",
        "screen graph",
        "observer R2",
        "theme light",
        "speed 20",
        "save picture.svg",
        "cone",
        "step-back",
        "why R0.0",
        "help",
        "branches",
        "nonsense",
    ] {
        let mut drive = Drive::conflict(LARGE);
        typed(&mut drive, line);
        // What lies over the panes is closed first.
        if drive.app.over.is_some() {
            drive.press("Esc");
        }
        assert!(drive.app.over.is_none(), "{line}");
        assert_eq!(drive.app.mode, Mode::Prompt, "{line}");
        drive.press("C-u");
        drive.type_in(":crash R3");
        assert_eq!(drive.app.prompt.text(), "crash R3", "{line}");
        assert!(drive.app.view.replicas.iter().all(|replica| replica.up), "{line}");
        drive.press("Esc");
        assert_eq!(drive.app.mode, Mode::Normal, "{line}");
    }
}

/// But what takes text or keys itself gets them.
#[test]
fn what_takes_keys_itself_gets_them() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("Tab");
    typed(&mut drive, "filter");
    assert_eq!(drive.app.mode, Mode::Filter);
    drive.press("Esc");
    typed(&mut drive, "why R0.0");
    drive.press("j Enter");
    assert_eq!((drive.app.screen, drive.app.mode), (Screen::SpaceTime, Mode::Normal));
    typed(&mut drive, "what-if");
    assert!(drive.app.prompt.text().starts_with("what-if #"));
}

#[test]
fn what_cannot_be_understood_stays_at_the_prompt() {
    let mut drive = Drive::new(LARGE);
    for (line, said) in [
        ("screen moon", "there is no screen \"moon\""),
        ("theme pink", "there is no theme \"pink\""),
        ("observer R7", "there is no \"R7\"; the replicas are R0 to R4"),
        ("walk 3", "nothing can follow walk"),
        ("walk-on", "there is nothing here for walk-on now"),
        ("speed 3", "one of 0.25, 0.5, 1, 2, 5, 10, 20, 40, 60 steps a second"),
        ("save picture", "should end in .txt or .svg"),
        ("save!", "save! needs the name of a file"),
        ("wlak", "there is no command 'wlak'"),
    ] {
        typed(&mut drive, line);
        assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, line));
        assert!(drive.text().contains(said), "{line}: {}", drive.text());
    }
    assert_eq!(drive.effects, []);
}

#[test]
fn names_are_completed_listed_and_explained() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("i");
    drive.type_in("show-sp");
    drive.press("Tab Enter");
    assert_eq!(drive.app.screen, Screen::SpaceTime);
    typed(&mut drive, "help");
    let Some(Over::Output(output)) = &drive.app.over else { panic!("help has much to say") };
    for name in ["burst", "crash-or-recover", "theme NAME", "log-page-up"] {
        assert!(output.lines.iter().any(|line| line.starts_with(name)), "{name}");
    }
    drive.press("Esc");
    typed(&mut drive, "help zoom-in");
    assert!(drive.text().contains("zoom-in: Give each event more room"));
    drive.press("Esc ?");
    drive.type_in("next-obs");
    assert!(drive.text().contains(":next-observer"));
}

#[test]
fn pasted_lines_may_be_for_the_screen() {
    let mut drive = Drive::new(LARGE);
    drive.act(epaxos_tui::tui::app::Action::Paste("put x 1\rscreen log\rput x 2\r".to_owned()));
    assert_eq!(drive.app.screen, Screen::Log);
    assert_eq!(drive.stage.view().total().proposals, 2);
}

#[test]
fn other_keys_do_it_and_are_shown() {
    let mut drive = Drive::held(LARGE);
    let file = "normal x,Left step\nnormal none play\nnormal s show-store\nnormal none step-back\nnormal p pause-or-run\n\
                always F2 palette\nnormal none go-left\nprompt Ctrl-G back";
    // The arrow is free once nothing else has it.
    let file = format!("{file}\nnormal h go-left").replace("normal none go-left\n", "");
    drive.app.keys = file.parse::<Keys>().expect("a file of keys");
    let before = drive.stage.view().log.len();
    drive.press("x Left n");
    assert_eq!(drive.stage.view().log.len(), before + 2, "n does nothing any more");
    assert!(drive.text().contains("p pause/run"), "{}", drive.text());
    drive.press("s");
    assert_eq!(drive.app.screen, Screen::Store);
    drive.press("i");
    assert!(drive.text().contains("Ctrl-G leave"));
    drive.press("C-g");
    assert_eq!(drive.app.mode, Mode::Normal);
    drive.press("?");
    drive.type_in("step");
    assert!(drive.text().contains("x ←"), "{}", drive.text());
    assert_eq!(drive.app.keys.key(Context::Always, Deed::OpenPalette), "F2");
}

#[test]
fn what_is_selected_is_copied() {
    let mut drive = Drive::conflict(LARGE);
    // Nothing is left to deliver, so there is nothing to copy.
    drive.press("y");
    assert!(drive.text().contains("nothing is selected here"), "{}", drive.text());
    assert_eq!(drive.effects, []);
    let line = drive.app.trace.selected(&drive.app.view).unwrap().to_string();
    assert_eq!(copied(&mut drive, "Tab y"), line);
    drive.press("1 Esc BackTab BackTab");
    assert_eq!(drive.app.pane(), Pane::Instances);
    let instance = copied(&mut drive, "k y");
    assert!(instance.starts_with("R0.0 put x 1\n  R0 executed slow"), "{instance}");
    assert_eq!(instance.lines().count(), 6);
    let replica = copied(&mut drive, "BackTab y");
    assert!(replica.starts_with("R0 127.0.0.1:50051 up: "), "{replica}");
    let event = copied(&mut drive, "2 g y");
    assert!(event.starts_with("#0 R0 "), "{event}");
    let order = copied(&mut drive, "3 y");
    assert!(order.contains("put x") && order.contains("in one component with"), "{order}");
    let stores = copied(&mut drive, "5 y");
    assert!(stores.starts_with("x\n  R0 "), "{stores}");
    assert!(copied(&mut drive, "7 Right y").starts_with("R0→R2: nothing is wrong"));
    assert!(copied(&mut drive, "8 y").contains("no violation has been seen"));
    let answer = copied(&mut drive, "1 w y");
    assert!(answer.contains("R0.0") && !answer.contains('\n'), "{answer}");
    drive.press("Esc i");
    drive.type_in("status");
    assert!(copied(&mut drive, "Enter y").starts_with("R0"), "output, as it is");

    let mut drive = Drive::held(LARGE);
    let message = copied(&mut drive, "y");
    let first = drive.app.deliverables.rows()[0];
    assert!(!message.is_empty() && drive.app.deliverables.selected() == Some(first));
    assert!(message.contains('→'), "{message}");
    assert!(copied(&mut drive, "2 y").starts_with('#'));
}

#[test]
fn a_picture_is_asked_for_with_or_without_a_name() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("C-s");
    drive.press("? C-s Esc");
    assert_eq!(drive.effects, [Effect::Save(Save::default()), Effect::Save(Save::default())]);
    for (line, file, replace) in
        [("save 'my screen.svg'", "my screen.svg", false), ("save! screen.TXT", "screen.TXT", true)]
    {
        typed(&mut drive, line);
        let save = Save { file: Some(file.to_owned()), replace };
        assert_eq!(drive.effects.pop(), Some(Effect::Save(save)));
        assert_eq!(drive.app.mode, Mode::Prompt, "more commands may follow");
    }
}

/// Every word on the screen is in the picture, at its place, whatever the theme.
#[test]
fn a_picture_has_what_the_screen_has() {
    for theme in Theme::ALL {
        let mut drive = Drive::with(Stage::of(&["put '<&\">' 漢字", "settle"]), LARGE);
        drive.app.theme = theme;
        drive.press("5");
        let buffer = picture::of(&drive.app);
        assert_eq!(buffer, drive.buffer());
        let whole = text(&buffer);
        assert_eq!(picture::text(&buffer).trim_end(), whole.trim_end());
        let drawing = picture::svg(&buffer, theme);
        let document = roxmltree::Document::parse(&drawing).expect("XML");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        let drawn: String = texts.filter_map(|node| node.text()).collect();
        assert_eq!(letters(&drawn), letters(&whole));
        assert!(words(&whole).contains(&"<&\">".to_owned()));
        assert!(drawing.contains(&picture::frame(&buffer, theme)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is typed by its name, whenever: every screen can be drawn, and saved.
    #[test]
    fn no_deed_done_by_its_name_panics(
        deeds in proptest::collection::vec(proptest::sample::select(Deed::all().collect::<Vec<_>>()), 0..40),
        size in (0u16..160, 0u16..50),
        held in any::<bool>(),
    ) {
        let mut drive = if held { Drive::held(size) } else { Drive::conflict(size) };
        for deed in deeds {
            typed(&mut drive, deed.name());
            let buffer = picture::of(&drive.app);
            prop_assert_eq!(&buffer, &drive.buffer());
            prop_assert!(roxmltree::Document::parse(&picture::svg(&buffer, drive.app.theme)).is_ok());
        }
    }
}

#[test]
fn a_key_asks_as_what_and_where_to_write_down_what_was_seen() {
    let mut drive = Drive::conflict(LARGE);
    drive.press("e");
    assert_eq!((drive.app.mode, drive.app.prompt.text()), (Mode::Prompt, "export "));
    drive.type_in("sv");
    drive.press("Tab Enter");
    let export = Export { format: Written::Seen(Format::Svg), file: None, replace: false };
    assert_eq!(drive.effects.pop(), Some(Effect::Export(export)));
    typed(&mut drive, "export! dot ~/graph.dot");
    let file = Some("~/graph.dot".to_owned());
    let export = Export { format: Written::Seen(Format::Dot), file, replace: true };
    assert_eq!(drive.effects.pop(), Some(Effect::Export(export)));
    typed(&mut drive, "export png");
    assert!(drive.text().contains("there is no format"), "{}", drive.text());
}
