//! The keys as they are where no file says otherwise.

use ratatui::crossterm::event::KeyCode;

use crate::tui::deed::{Deed, LogKey, Move, Screen};
use crate::tui::keys::{Context, Key};

/// A line of the table.
pub(super) struct Row {
    pub context: Context,
    pub keys: &'static [Key],
    pub deed: Deed,
    pub hint: &'static str,
    pub about: &'static str,
}

pub(super) const fn char(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: false }
}

pub(super) const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), ctrl: true }
}

const fn key(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn bind(
    context: Context,
    keys: &'static [Key],
    deed: Deed,
    hint: &'static str,
    about: &'static str,
) -> Row {
    Row { context, keys, deed, hint, about }
}

const ENTER: Key = key(KeyCode::Enter);
const ESC: Key = key(KeyCode::Esc);
pub(super) const UP: Key = key(KeyCode::Up);
const DOWN: Key = key(KeyCode::Down);
const LEFT: Key = key(KeyCode::Left);
const RIGHT: Key = key(KeyCode::Right);
const TAB: Key = key(KeyCode::Tab);
pub(super) const BACK_TAB: Key = key(KeyCode::BackTab);
const PAGE_UP: Key = key(KeyCode::PageUp);
const PAGE_DOWN: Key = key(KeyCode::PageDown);
const HOME: Key = key(KeyCode::Home);
const END: Key = key(KeyCode::End);
const F1: Key = key(KeyCode::F(1));

/// Every key as long as nobody says otherwise. The order within a context is that of the footer and the palette.
pub(super) const TABLE: &[Row] = {
    use Context::{
        Always, Checks, Execution, Faults, Filter, Graph, Instances, Lesson, Log, Messages, Normal,
        Output, Palette, Prompt, Replicas, SpaceTime, Trace, Why as Answer,
    };
    use Deed::{
        Answer as Choose, Back, Bookmark, Branch, Compare, Complete, CompleteBack, Cone, Copy,
        CrashOrRecover, Cut, CutBothWays, DelayMore, DoubleMore, Drop, Duplicate, Enter, Export,
        Faster, FocusBack, FocusNext, Fold, FollowLink, Go, HideLane, HistoryBack, HistoryForth,
        Hold, Lessons, LogWidget, LoseMore, Matrix, MendAll, MendLink, Mouse, NextDecision,
        NextFork, NextPart, NextTheme, Now, Observer, Open, OpenFilter, OpenPalette, OpenPrompt,
        PauseOrRun, Play, Present, PreviousDecision, PreviousFork, PreviousPart, Quiet, Quit,
        Redraw, Release, Round, Save, Show, ShowLanes, Slower, Start, Step, StepBack, Suspend,
        Waiting, Wake, Walk, WalkBack, WalkOn, WhatIf, Why, Zoom, ZoomIn, ZoomOut,
    };
    &[
        bind(
            Messages,
            &[ENTER],
            Open,
            "deliver",
            "Deliver the selected message, or fire the timer",
        ),
        bind(Messages, &[char('d')], Drop, "drop", "Drop the selected message"),
        bind(Messages, &[char('u')], Duplicate, "duplicate", "Make a twin of the selected message"),
        bind(Messages, &[char('h')], Hold, "hold kind", "Hold all messages of the selected kind"),
        bind(
            Replicas,
            &[ENTER],
            Open,
            "propose here",
            "Send what is proposed next to this replica",
        ),
        bind(Instances, &[ENTER], Open, "open", "Look at the selected instance"),
        bind(Instances, &[RIGHT], Go(Move::Right), "", "The next slot"),
        bind(Trace, &[ENTER], Open, "open", "Look at the instance of the selected line"),
        bind(
            SpaceTime,
            &[ENTER],
            Open,
            "open",
            "Read about the selected event, or deliver the selected message",
        ),
        bind(SpaceTime, &[char('h')], Cone, "cone", "Dim what is concurrent with the event"),
        bind(SpaceTime, &[char('+'), char('=')], ZoomIn, "zoom", "Give each event more room"),
        bind(SpaceTime, &[char('-')], ZoomOut, "", "Give each event less room, at last a dot"),
        bind(SpaceTime, &[char('b')], Fold, "fold", "Let a broadcast's deliveries share a row"),
        bind(SpaceTime, &[char('H')], HideLane, "hide lane", "Hide the lane that is pointed at"),
        bind(SpaceTime, &[char('A')], ShowLanes, "all lanes", "Show all lanes again"),
        bind(SpaceTime, &[char('d')], Drop, "drop", "Drop the selected message"),
        bind(SpaceTime, &[char('u')], Duplicate, "duplicate", "Make a twin of the message"),
        bind(SpaceTime, &[LEFT], Go(Move::Left), "", "The lane on the left"),
        bind(SpaceTime, &[RIGHT, char('l')], Go(Move::Right), "", "The lane on the right"),
        bind(Execution, &[ENTER], Open, "open", "Look at the selected instance"),
        bind(Graph, &[char('m')], Matrix, "matrix", "The component as a matrix, or the picture"),
        bind(Graph, &[char('b')], Waiting, "waiting", "What waits for what on each replica"),
        bind(Graph, &[char('t')], Walk, "Tarjan", "Walk through the search for components"),
        bind(Graph, &[char('.'), RIGHT], WalkOn, "walk", "The next move of the search"),
        bind(Graph, &[char(','), LEFT], WalkBack, "", "The move before"),
        bind(Graph, &[char('+'), char('=')], ZoomIn, "further", "Draw more around the instance"),
        bind(Graph, &[char('-')], ZoomOut, "", "Draw less around the instance"),
        bind(Answer, &[ENTER], FollowLink, "go there", "Go to what proves the selected clause"),
        bind(Answer, &[UP, char('k')], Go(Move::Up), "", "The clause before"),
        bind(Answer, &[DOWN, char('j')], Go(Move::Down), "clause", "The next clause"),
        bind(Answer, &[LEFT, char('h')], Go(Move::Left), "", "The question before"),
        bind(Answer, &[RIGHT, char('l')], Go(Move::Right), "question", "The next question"),
        bind(Answer, &[char('y')], Copy, "", "Copy the answer"),
        bind(Answer, &[ESC], Back, "close", "Go back to what was asked about"),
        bind(Log, &[UP], LogWidget(LogKey::Up), "", "The target above"),
        bind(Log, &[DOWN], LogWidget(LogKey::Down), "target", "The target below"),
        bind(Log, &[LEFT], LogWidget(LogKey::Left), "", "Show less of the target"),
        bind(Log, &[RIGHT], LogWidget(LogKey::Right), "level", "Show more of the target"),
        bind(Log, &[char('-')], LogWidget(LogKey::Minus), "", "Record less of the target"),
        bind(Log, &[char('+')], LogWidget(LogKey::Plus), "record", "Record more of the target"),
        bind(
            Log,
            &[char('h')],
            LogWidget(LogKey::Hide),
            "hide targets",
            "Show or hide the targets",
        ),
        bind(
            Log,
            &[char('f')],
            LogWidget(LogKey::Focus),
            "only this",
            "Show the selected target only",
        ),
        bind(Log, &[char('t')], LogWidget(LogKey::Off), "", "Show or hide targets that are off"),
        bind(Log, &[PAGE_UP], LogWidget(LogKey::PageUp), "page", "Back in the log"),
        bind(Log, &[PAGE_DOWN], LogWidget(LogKey::PageDown), "", "Forth in the log"),
        bind(Log, &[ESC], LogWidget(LogKey::Escape), "", "Follow the log again"),
        bind(Faults, &[char('x')], Cut, "cut", "Cut the selected link, or take the cut back"),
        bind(
            Faults,
            &[char('b')],
            CutBothWays,
            "both",
            "Cut the selected link in both directions, or take both cuts back",
        ),
        bind(
            Faults,
            &[char('L')],
            LoseMore,
            "loss",
            "Lose more on the selected link, at last none",
        ),
        bind(
            Faults,
            &[char('D')],
            DelayMore,
            "delay",
            "Delay more on the selected link, at last nothing",
        ),
        bind(
            Faults,
            &[char('U')],
            DoubleMore,
            "dup",
            "Double more on the selected link, at last nothing",
        ),
        bind(
            Faults,
            &[char('c')],
            CrashOrRecover,
            "crash/recover",
            "Crash the replica of the selected row, or let it come back",
        ),
        bind(Faults, &[char('H')], MendAll, "heal all", "Mend all links"),
        bind(Faults, &[char('0')], MendLink, "mend", "Take away all that is wrong with the link"),
        bind(Faults, &[ENTER], Open, "type it", "Type a command about what is selected"),
        bind(Faults, &[RIGHT], Go(Move::Right), "", "The next column"),
        bind(Checks, &[ENTER], Open, "see it", "Go to the instance that shows what is wrong"),
        bind(
            Lesson,
            &[ENTER, char('n'), char('.'), RIGHT],
            NextPart,
            "go on",
            "Go on with the lesson, or take the selected one",
        ),
        bind(
            Lesson,
            &[char('p'), char(','), LEFT],
            PreviousPart,
            "back",
            "Go one step of the lesson back",
        ),
        bind(Lesson, &[char('a')], Choose(0), "answer", "Answer the question with a"),
        bind(Lesson, &[char('b')], Choose(1), "", "Answer the question with b"),
        bind(Lesson, &[char('c')], Choose(2), "", "Answer the question with c"),
        bind(Lesson, &[char('d')], Choose(3), "", "Answer the question with d"),
        bind(Lesson, &[char('e')], Choose(4), "", "Answer the question with e"),
        bind(Lesson, &[char('l')], Lessons, "lessons", "List all lessons"),
        bind(Normal, &[char(' ')], PauseOrRun, "pause/run", "Pause, so that nothing moves, or run"),
        bind(Normal, &[char('n'), char('.'), RIGHT], Step, "step", "Deliver the oldest message"),
        bind(Normal, &[char('p')], StepBack, "back", "Look one step back"),
        bind(
            Normal,
            &[char('[')],
            PreviousDecision,
            "",
            "Look back to the decision before: what was more than a delivery",
        ),
        bind(Normal, &[char(']')], NextDecision, "", "Look at the next decision"),
        bind(Normal, &[char('{')], PreviousFork, "", "Look back to where branches part"),
        bind(Normal, &[char('}')], NextFork, "", "Look at the next place where branches part"),
        bind(Normal, &[char('0')], Start, "", "Look back to the beginning"),
        bind(Normal, &[char('$')], Now, "", "Look at what is going on now"),
        bind(Normal, &[char('\'')], Bookmark, "", "Remember this place; goto leads back to it"),
        bind(
            Normal,
            &[char('=')],
            Compare,
            "",
            "Show how this branch differs from the one that it leaves",
        ),
        bind(
            Normal,
            &[char('B')],
            WhatIf,
            "",
            "Let the selected entry be otherwise, and see what would have come of it",
        ),
        bind(
            Normal,
            &[char('N')],
            Round,
            "",
            "Deliver every message that is held now, once: one round",
        ),
        bind(Normal, &[char('T')], Quiet, "", "Deliver until nothing is left to deliver"),
        bind(Normal, &[char('s')], Play, "play", "Step by itself, or stop that"),
        bind(Normal, &[char('>')], Faster, "", "Play faster"),
        bind(Normal, &[char('<')], Slower, "", "Play slower"),
        bind(
            Normal,
            &[key(KeyCode::F(5)), char('V')],
            Present,
            "",
            "More room, a slower pace and a sentence on each step, for a class; or as usual again",
        ),
        bind(Normal, &[char('i'), char('a'), char(':')], OpenPrompt, "command", "Type a command"),
        bind(Normal, &[char('/')], OpenFilter, "filter", "Filter the list while typing"),
        bind(Normal, &[TAB], FocusNext, "pane", "Go to the next pane"),
        bind(Normal, &[BACK_TAB], FocusBack, "", "Go to the pane before"),
        bind(Normal, &[char('w')], Why, "why", "Ask why about what is selected"),
        bind(Normal, &[char('W')], Wake, "wake", "Fire the next timer of the selected replica"),
        bind(Normal, &[char('b')], Branch, "branch", "Begin a branch here, in the simulator"),
        bind(
            Normal,
            &[char('c')],
            CrashOrRecover,
            "",
            "Crash the selected replica, or let it come back",
        ),
        bind(Normal, &[char('r')], Release, "release", "Take back all rules that hold messages"),
        bind(Normal, &[char('o')], Observer, "observer", "See with the next replica's eyes"),
        bind(Normal, &[char('f')], Zoom, "full", "Give the pane the whole screen, or take it back"),
        bind(Normal, &[char('1')], Show(Screen::Cockpit), "", "Go to the cockpit"),
        bind(Normal, &[char('2')], Show(Screen::SpaceTime), "", "Go to the space-time diagram"),
        bind(Normal, &[char('3')], Show(Screen::Graph), "", "Go to the graph and execution"),
        bind(Normal, &[char('4')], Show(Screen::Metrics), "", "Go to the metrics"),
        bind(Normal, &[char('5')], Show(Screen::Store), "", "Go to the stores"),
        bind(Normal, &[char('6')], Show(Screen::Log), "", "Go to the log"),
        bind(Normal, &[char('7')], Show(Screen::Faults), "", "Go to the faults"),
        bind(Normal, &[char('8')], Show(Screen::Checks), "", "Go to the checks"),
        bind(
            Normal,
            &[char('9'), char('L')],
            Deed::Lesson,
            "lesson",
            "Return to the lesson, and to where it is",
        ),
        bind(Normal, &[char('k'), UP], Go(Move::Up), "", "Up"),
        bind(Normal, &[char('j'), DOWN], Go(Move::Down), "", "Down"),
        bind(Normal, &[char('h'), LEFT], Go(Move::Left), "", "Left"),
        bind(Normal, &[char('l')], Go(Move::Right), "", "Right"),
        bind(Normal, &[PAGE_UP], Go(Move::PageUp), "", "A page up"),
        bind(Normal, &[PAGE_DOWN], Go(Move::PageDown), "", "A page down"),
        bind(Normal, &[ctrl('u')], Go(Move::HalfUp), "", "Half a page up"),
        bind(Normal, &[ctrl('d')], Go(Move::HalfDown), "", "Half a page down"),
        bind(Normal, &[char('g'), HOME], Go(Move::Top), "", "To the beginning"),
        bind(Normal, &[char('G'), END], Go(Move::Bottom), "", "To the end, and follow what comes"),
        bind(Normal, &[char('y')], Copy, "", "Copy what is selected, as text"),
        bind(Normal, &[char('e')], Export, "", "Write down what was seen, for another program"),
        bind(Normal, &[char('C')], NextTheme, "", "Use the next set of colours"),
        bind(Normal, &[char('m')], Mouse, "", "Let the monitor have the mouse, or the terminal"),
        bind(Normal, &[char('?')], OpenPalette, "keys", "List all that can be done now"),
        bind(Normal, &[ESC], Back, "", "One level back"),
        bind(Normal, &[char('q')], Quit, "quit", "Quit"),
        bind(Prompt, &[ENTER], Enter, "send", "Carry out the command"),
        bind(Prompt, &[TAB], Complete, "complete", "Complete the word, or try the next way to"),
        bind(Prompt, &[BACK_TAB], CompleteBack, "", "Complete the word the way before"),
        bind(Prompt, &[UP], HistoryBack, "history", "The command before"),
        bind(Prompt, &[DOWN], HistoryForth, "", "The command after"),
        bind(Prompt, &[ESC], Back, "leave", "Leave the prompt; what was typed stays"),
        bind(Filter, &[ENTER], Enter, "keep", "Keep the filter"),
        bind(Filter, &[ESC], Back, "clear", "Take the filter away"),
        bind(Palette, &[ENTER], Enter, "do it", "Do what is selected"),
        bind(Palette, &[UP, BACK_TAB], Go(Move::Up), "", "Up"),
        bind(Palette, &[DOWN, TAB], Go(Move::Down), "select", "Down"),
        bind(Palette, &[PAGE_UP], Go(Move::PageUp), "", "A page up"),
        bind(Palette, &[PAGE_DOWN], Go(Move::PageDown), "", "A page down"),
        bind(Palette, &[ESC], Back, "close", "Close the palette"),
        bind(Output, &[char('k'), UP], Go(Move::Up), "", "Up"),
        bind(Output, &[char('j'), DOWN], Go(Move::Down), "scroll", "Down"),
        bind(Output, &[PAGE_UP], Go(Move::PageUp), "", "A page up"),
        bind(Output, &[char(' '), PAGE_DOWN], Go(Move::PageDown), "page", "A page down"),
        bind(Output, &[char('g'), HOME], Go(Move::Top), "", "To the beginning"),
        bind(Output, &[char('G'), END], Go(Move::Bottom), "", "To the end"),
        bind(Output, &[char('y')], Copy, "", "Copy the output"),
        bind(Output, &[ESC, ENTER, char('q')], Back, "close", "Close the output"),
        bind(Always, &[F1], OpenPalette, "", "List all that can be done now"),
        bind(Always, &[ctrl('s')], Save, "", "Save a picture of the screen to a file"),
        bind(Always, &[ctrl('l')], Redraw, "", "Draw the screen anew"),
        bind(Always, &[ctrl('z')], Suspend, "", "Go back to the shell for a while"),
        bind(Always, &[ctrl('c')], Quit, "", "Quit"),
    ]
};
