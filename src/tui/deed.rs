//! What a person can do at the screen, whichever key, click or palette line asks for it.

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Screen {
    /// Replicas, instances, messages, the trace: where a cluster is watched and driven.
    #[default]
    Cockpit,
    /// Every event in order, and who told whom.
    SpaceTime,
    /// Who depends on whom, and in which order that is executed.
    Graph,
    /// Numbers.
    Metrics,
    /// The replicas' stores, side by side.
    Store,
    /// What the program says of itself.
    Log,
    /// What is wrong with links and replicas, to be changed.
    Faults,
    /// Whether what must be true of every run is.
    Checks,
    /// A lesson, or what lessons there are; there is none where a cluster is watched.
    Lesson,
}

impl Screen {
    /// All screens that every monitor has, in the order of their tabs.
    pub const ALL: [Screen; 8] = [
        Self::Cockpit,
        Self::SpaceTime,
        Self::Graph,
        Self::Metrics,
        Self::Store,
        Self::Log,
        Self::Faults,
        Self::Checks,
    ];

    /// The screen's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cockpit => "Cockpit",
            Self::SpaceTime => "Space-time",
            Self::Graph => "Graph",
            Self::Metrics => "Metrics",
            Self::Store => "Store",
            Self::Log => "Log",
            Self::Faults => "Faults",
            Self::Checks => "Checks",
            Self::Lesson => "Lesson",
        }
    }

    /// The screen of a name, however that is capitalised.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|screen| screen.name().eq_ignore_ascii_case(name))
    }
}

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One to the left.
    Left,
    /// One to the right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Half a page up.
    HalfUp,
    /// Half a page down.
    HalfDown,
    /// To the beginning.
    Top,
    /// To the end.
    Bottom,
}

impl Move {
    /// By how many places, where a page has `page` of them. The ends are as far away as can be.
    pub fn by(self, page: usize) -> isize {
        let page = isize::try_from(page).unwrap_or(isize::MAX).max(1);
        match self {
            Self::Up | Self::Left => -1,
            Self::Down | Self::Right => 1,
            Self::PageUp => -page,
            Self::PageDown => page,
            Self::HalfUp => -(page / 2).max(1),
            Self::HalfDown => (page / 2).max(1),
            Self::Top => isize::MIN,
            Self::Bottom => isize::MAX,
        }
    }
}

/// A key of the log widget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says what each does")]
pub enum LogKey {
    Up,
    Down,
    Left,
    Right,
    Minus,
    Plus,
    Hide,
    Focus,
    Off,
    PageUp,
    PageDown,
    Escape,
}

/// One thing that can be done. The key table says what each means to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the key table says what each does")]
pub enum Deed {
    PauseOrRun,
    Step,
    StepBack,
    PreviousDecision,
    NextDecision,
    PreviousFork,
    NextFork,
    Start,
    Now,
    Bookmark,
    Branch,
    Compare,
    WhatIf,
    Round,
    Quiet,
    Play,
    Faster,
    Slower,
    Present,
    Open,
    Drop,
    Duplicate,
    Hold,
    Release,
    Wake,
    CrashOrRecover,
    Cut,
    CutBothWays,
    LoseMore,
    DelayMore,
    DoubleMore,
    MendLink,
    MendAll,
    Go(Move),
    FocusNext,
    FocusBack,
    Show(Screen),
    Observer,
    Zoom,
    Mouse,
    OpenPrompt,
    OpenFilter,
    OpenPalette,
    Why,
    FollowLink,
    Matrix,
    Waiting,
    Walk,
    WalkOn,
    WalkBack,
    Cone,
    Fold,
    ZoomIn,
    ZoomOut,
    HideLane,
    ShowLanes,
    Enter,
    Complete,
    CompleteBack,
    HistoryBack,
    HistoryForth,
    LogWidget(LogKey),
    NextPart,
    PreviousPart,
    Answer(u8),
    Lesson,
    Lessons,
    Back,
    Copy,
    Save,
    Export,
    NextTheme,
    Redraw,
    Suspend,
    Quit,
}

impl Deed {
    /// Every deed there is: what the key table must reach.
    pub fn all() -> impl Iterator<Item = Deed> {
        NAMES.iter().map(|(deed, _)| *deed)
    }

    /// The name that stands for it at the prompt and in a file of keys.
    pub fn name(self) -> &'static str {
        let named = NAMES.iter().find(|(deed, _)| *deed == self);
        named.map(|(_, name)| *name).expect("every deed has a name")
    }

    /// The deed of a name.
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, own)| *own == name).map(|(deed, _)| *deed)
    }
}

/// Every deed with its name. Names are kept: people have them in their files.
const NAMES: &[(Deed, &str)] = &[
    (Deed::PauseOrRun, "pause-or-run"),
    (Deed::Step, "step"),
    (Deed::StepBack, "step-back"),
    (Deed::PreviousDecision, "previous-decision"),
    (Deed::NextDecision, "next-decision"),
    (Deed::PreviousFork, "previous-fork"),
    (Deed::NextFork, "next-fork"),
    (Deed::Start, "start"),
    (Deed::Now, "now"),
    (Deed::Bookmark, "bookmark"),
    (Deed::Branch, "branch"),
    (Deed::Compare, "compare"),
    (Deed::WhatIf, "what-if"),
    (Deed::Round, "round"),
    (Deed::Quiet, "until-quiet"),
    (Deed::Play, "play"),
    (Deed::Faster, "faster"),
    (Deed::Slower, "slower"),
    (Deed::Present, "present"),
    (Deed::Open, "open"),
    (Deed::Drop, "drop"),
    (Deed::Duplicate, "duplicate"),
    (Deed::Hold, "hold-kind"),
    (Deed::Release, "release"),
    (Deed::Wake, "wake"),
    (Deed::CrashOrRecover, "crash-or-recover"),
    (Deed::Cut, "cut"),
    (Deed::CutBothWays, "cut-both-ways"),
    (Deed::LoseMore, "lose-more"),
    (Deed::DelayMore, "delay-more"),
    (Deed::DoubleMore, "double-more"),
    (Deed::MendLink, "mend-link"),
    (Deed::MendAll, "mend-all"),
    (Deed::Go(Move::Up), "go-up"),
    (Deed::Go(Move::Down), "go-down"),
    (Deed::Go(Move::Left), "go-left"),
    (Deed::Go(Move::Right), "go-right"),
    (Deed::Go(Move::PageUp), "go-page-up"),
    (Deed::Go(Move::PageDown), "go-page-down"),
    (Deed::Go(Move::HalfUp), "go-half-up"),
    (Deed::Go(Move::HalfDown), "go-half-down"),
    (Deed::Go(Move::Top), "go-top"),
    (Deed::Go(Move::Bottom), "go-bottom"),
    (Deed::FocusNext, "next-pane"),
    (Deed::FocusBack, "previous-pane"),
    (Deed::Show(Screen::Cockpit), "show-cockpit"),
    (Deed::Show(Screen::SpaceTime), "show-space-time"),
    (Deed::Show(Screen::Graph), "show-graph"),
    (Deed::Show(Screen::Metrics), "show-metrics"),
    (Deed::Show(Screen::Store), "show-store"),
    (Deed::Show(Screen::Log), "show-log"),
    (Deed::Show(Screen::Faults), "show-faults"),
    (Deed::Show(Screen::Checks), "show-checks"),
    (Deed::Observer, "next-observer"),
    (Deed::Zoom, "full"),
    (Deed::Mouse, "mouse"),
    (Deed::OpenPrompt, "prompt"),
    (Deed::OpenFilter, "filter"),
    (Deed::OpenPalette, "palette"),
    (Deed::Why, "why"),
    (Deed::FollowLink, "follow-link"),
    (Deed::Matrix, "matrix"),
    (Deed::Waiting, "waiting"),
    (Deed::Walk, "walk"),
    (Deed::WalkOn, "walk-on"),
    (Deed::WalkBack, "walk-back"),
    (Deed::Cone, "cone"),
    (Deed::Fold, "fold"),
    (Deed::ZoomIn, "zoom-in"),
    (Deed::ZoomOut, "zoom-out"),
    (Deed::HideLane, "hide-lane"),
    (Deed::ShowLanes, "show-lanes"),
    (Deed::Enter, "enter"),
    (Deed::Complete, "complete"),
    (Deed::CompleteBack, "complete-back"),
    (Deed::HistoryBack, "history-back"),
    (Deed::HistoryForth, "history-forth"),
    (Deed::LogWidget(LogKey::Up), "log-up"),
    (Deed::LogWidget(LogKey::Down), "log-down"),
    (Deed::LogWidget(LogKey::Left), "log-left"),
    (Deed::LogWidget(LogKey::Right), "log-right"),
    (Deed::LogWidget(LogKey::Minus), "log-minus"),
    (Deed::LogWidget(LogKey::Plus), "log-plus"),
    (Deed::LogWidget(LogKey::Hide), "log-hide"),
    (Deed::LogWidget(LogKey::Focus), "log-focus"),
    (Deed::LogWidget(LogKey::Off), "log-off"),
    (Deed::LogWidget(LogKey::PageUp), "log-page-up"),
    (Deed::LogWidget(LogKey::PageDown), "log-page-down"),
    (Deed::LogWidget(LogKey::Escape), "log-escape"),
    (Deed::NextPart, "next-part"),
    (Deed::PreviousPart, "previous-part"),
    (Deed::Answer(0), "answer-a"),
    (Deed::Answer(1), "answer-b"),
    (Deed::Answer(2), "answer-c"),
    (Deed::Answer(3), "answer-d"),
    (Deed::Answer(4), "answer-e"),
    (Deed::Lesson, "lesson"),
    (Deed::Lessons, "lessons"),
    (Deed::Back, "back"),
    (Deed::Copy, "copy"),
    (Deed::Save, "save"),
    (Deed::Export, "export"),
    (Deed::NextTheme, "next-theme"),
    (Deed::Redraw, "redraw"),
    (Deed::Suspend, "suspend"),
    (Deed::Quit, "quit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_deed_has_one_name_and_each_name_one_deed() {
        for (index, (deed, name)) in NAMES.iter().enumerate() {
            assert_eq!((Deed::parse(name), deed.name()), (Some(*deed), *name));
            assert!(NAMES[..index].iter().all(|(other, own)| other != deed && own != name));
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}");
        }
    }
}
