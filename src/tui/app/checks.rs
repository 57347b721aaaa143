//! Whether what is seen may be so: the checks of everything that must be true of every run, while it
//! goes on.

use std::time::Duration;

use crate::check::{Checker, Property, Violation};
use crate::observe::facets::Facets;
use crate::observe::notice::{Shape, Step};
use crate::observe::query::Query;
use crate::observe::view::View;
use crate::tui::list::Place;

/// The checks, and the place among them.
#[derive(Clone, Debug)]
pub struct Checks {
    checker: Checker,
    /// How many violations have been spoken of.
    spoken: usize,
    /// How many steps had been told when what takes long was looked at last, and when that was.
    looked: u64,
    when: Option<Duration>,
    query: Query,
    /// The place in the list of properties.
    pub place: Place,
}

/// How a property stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds of all that has happened.
    Holds,
    /// It held of all that had happened at this step.
    HeldAt(u64),
    /// It is not looked at: there is too much to look at, or nothing is promised.
    Unknown,
    /// It does not hold.
    Broken,
}

impl Checks {
    /// The checks of a cluster in which nothing has happened.
    pub fn new(shape: &Shape) -> Self {
        Self {
            checker: Checker::new(shape.options.quorums, shape.reply_on()),
            spoken: 0,
            looked: 0,
            when: None,
            query: Query::default(),
            place: Place::default(),
        }
    }

    /// Checks a run from its beginning on, where there is not too much of it; otherwise nothing is said
    /// of it. The place in the list is that of others.
    pub fn look_again(&mut self, view: &View, others: &Checks) {
        (self.query, self.place) = (others.query.clone(), others.place);
        if view.log.len() > STEPS_MOST || view.log.forgotten() > 0 {
            return self.checker.miss(0);
        }
        view.log.iter().for_each(|entry| self.checker.step(&entry.step));
        self.spoken = self.checker.violations().len();
    }

    /// Takes note of a step.
    pub fn step(&mut self, step: &Step) {
        self.checker.step(step);
    }

    /// Looks at what takes long now and then, while there is not too much of it. Says whether anything
    /// has changed.
    pub fn tick(&mut self, now: Duration) -> bool {
        if self.checked().is_some() {
            return false;
        }
        let soon = self.when.is_some_and(|when| now.saturating_sub(when) < LOOK_EVERY);
        if soon || self.looked == self.checker.steps() || self.checker.requests() > REQUESTS_MAX {
            return false;
        }
        self.when = Some(now);
        self.looked = self.checker.steps();
        self.checker.finish();
        true
    }

    /// The first violation that has not been spoken of; all that came with it are, too.
    pub fn news(&mut self) -> Option<(usize, Violation)> {
        let index = self.spoken;
        let first = self.checker.violations().get(index).cloned();
        self.spoken = self.checker.violations().len();
        first.map(|violation| (index, violation))
    }

    /// How many steps were checked, where more happened than could be looked at.
    pub fn checked(&self) -> Option<u64> {
        self.checker.blind_since().map(|step| step.saturating_sub(1))
    }

    /// What is wrong, in the order in which it showed.
    pub fn violations(&self) -> &[Violation] {
        self.checker.violations()
    }

    /// What is wrong with one property.
    pub fn violations_of(&self, property: Property) -> impl Iterator<Item = &Violation> {
        self.violations().iter().filter(move |violation| violation.property == property)
    }

    /// How a property stands.
    pub fn standing(&self, property: Property) -> Standing {
        if self.violations_of(property).next().is_some() {
            return Standing::Broken;
        }
        if !self.checker.promises(property) {
            return Standing::Unknown;
        }
        if let Some(step) = self.checked() {
            return Standing::HeldAt(step);
        }
        match property {
            Property::Convergence | Property::Progress | Property::Linearizability => {
                if self.looked == self.checker.steps() {
                    Standing::Holds
                } else if self.looked > 0 {
                    Standing::HeldAt(self.looked)
                } else {
                    Standing::Unknown
                }
            }
            _ => Standing::Holds,
        }
    }

    /// Lists the properties that are called so, from now on.
    pub fn set_query(&mut self, query: Query) {
        self.query = query;
        self.place = Place::default();
    }

    /// The properties that are listed.
    pub fn listed(&self) -> Vec<Property> {
        let meets = |property: &Property| {
            let standing = match self.standing(*property) {
                Standing::Holds | Standing::HeldAt(_) => "ok",
                Standing::Unknown => "unknown",
                Standing::Broken => "broken",
            };
            let text = || format!("{} {} {standing}", property.name(), property.sentence());
            self.query.matches(&Facets::default(), text)
        };
        Property::ALL.into_iter().filter(meets).collect()
    }

    /// The selected property; the first of all where none is listed.
    pub fn selected(&self) -> Property {
        self.listed().get(self.place.selected).copied().unwrap_or(Property::ALL[0])
    }

    /// Selects a property, which is listed from now on.
    pub fn select(&mut self, property: Property) {
        if !self.listed().contains(&property) {
            self.query = Query::default();
        }
        let index = self.listed().iter().position(|other| *other == property).unwrap_or(0);
        self.place = Place::new(index, self.place.offset);
    }
}

/// How often to look at what takes long.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A run of more steps than this takes too long to be checked from its beginning.
const STEPS_MOST: u64 = 5_000;

/// With more requests than this a look would take longer than a frame may.
const REQUESTS_MAX: usize = 5_000;
