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
}

impl Screen {
    /// All screens, in the order of their tabs.
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
        }
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
    Back,
    Redraw,
    Suspend,
    Quit,
}

impl Deed {
    /// Every deed there is: what the key table must reach.
    pub fn all() -> Vec<Deed> {
        use Move::{Bottom, Down, HalfDown, HalfUp, Left, PageDown, PageUp, Right, Top, Up};
        let moves =
            [Up, Down, Left, Right, PageUp, PageDown, HalfUp, HalfDown, Top, Bottom].map(Deed::Go);
        let screens = Screen::ALL.map(Deed::Show);
        let plain = [
            Self::PauseOrRun,
            Self::Step,
            Self::Round,
            Self::Quiet,
            Self::Play,
            Self::Faster,
            Self::Slower,
            Self::Present,
            Self::Open,
            Self::Drop,
            Self::Duplicate,
            Self::Hold,
            Self::Release,
            Self::Wake,
            Self::CrashOrRecover,
            Self::Cut,
            Self::CutBothWays,
            Self::LoseMore,
            Self::DelayMore,
            Self::DoubleMore,
            Self::MendLink,
            Self::MendAll,
            Self::FocusNext,
            Self::FocusBack,
            Self::Observer,
            Self::Zoom,
            Self::Mouse,
            Self::OpenPrompt,
            Self::OpenFilter,
            Self::OpenPalette,
            Self::Why,
            Self::FollowLink,
            Self::Matrix,
            Self::Waiting,
            Self::Walk,
            Self::WalkOn,
            Self::WalkBack,
            Self::Cone,
            Self::Fold,
            Self::ZoomIn,
            Self::ZoomOut,
            Self::HideLane,
            Self::ShowLanes,
            Self::Enter,
            Self::Complete,
            Self::CompleteBack,
            Self::HistoryBack,
            Self::HistoryForth,
            Self::Back,
            Self::Redraw,
            Self::Suspend,
            Self::Quit,
        ];
        plain.into_iter().chain(moves).chain(screens).collect()
    }
}
