//! The place in the list of what was executed, in order, and of what waits to be.

use crate::epaxos::id::{InstanceId, ReplicaId};
use crate::observe::facets::Facets;
use crate::observe::query::Query;
use crate::observe::view::View;
use crate::tui::list::Place;

/// Which instances are listed, and which of them are to be seen. With the eyes of one replica: what it
/// has executed in its order, then what else it knows of, by name.
#[derive(Clone, Debug, Default)]
pub struct Execution {
    observer: ReplicaId,
    query: Query,
    /// Of what was executed, what meets the query, where there is one.
    executed: Vec<InstanceId>,
    /// How much of what was executed has been looked at.
    scanned: u64,
    /// The same of what waits.
    open: Vec<InstanceId>,
    /// What only others know of, where nobody's eyes are asked for in particular.
    elsewhere: Vec<InstanceId>,
    version: Option<u64>,
    /// Whose eyes were asked for.
    wanted: Option<ReplicaId>,
    /// The place in the list.
    pub place: Place,
}

impl Execution {
    /// With whose eyes the list is seen.
    pub fn observer(&self) -> ReplicaId {
        self.observer
    }

    /// Lists what meets `query` from now on.
    pub fn set_query(&mut self, query: Query) {
        if self.query != query {
            self.query = query;
            self.forget();
        }
    }

    /// The log is another one.
    pub fn look_again(&mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        self.executed.clear();
        self.scanned = 0;
        self.open.clear();
        self.version = None;
    }

    /// How many are listed.
    pub fn len(&self, view: &View) -> usize {
        if self.query.is_empty() {
            let replica = view.replica(self.observer);
            replica.executed.len() + replica.open.len() + self.elsewhere.len()
        } else {
            self.executed.len() + self.open.len() + self.elsewhere.len()
        }
    }

    /// How many of them have been executed.
    pub fn executed(&self, view: &View) -> usize {
        if self.query.is_empty() {
            view.replica(self.observer).executed.len()
        } else {
            self.executed.len()
        }
    }

    /// So many of them from one on.
    pub fn listed(&self, view: &View, from: usize, count: usize) -> Vec<InstanceId> {
        let replica = view.replica(self.observer);
        if self.query.is_empty() {
            let executed = replica.executed.iter().skip(from).take(count);
            let skipped = from.saturating_sub(replica.executed.len());
            let rest = replica.open.iter().chain(&self.elsewhere).skip(skipped);
            executed.chain(rest).take(count).copied().collect()
        } else {
            let skipped = from.saturating_sub(self.executed.len());
            let executed = self.executed.iter().skip(from);
            let rest = self.open.iter().chain(&self.elsewhere).skip(skipped);
            executed.chain(rest).take(count).copied().collect()
        }
    }

    /// Where an instance is in the list.
    pub fn position(&self, view: &View, id: InstanceId) -> Option<usize> {
        let replica = view.replica(self.observer);
        if let Some(among) = self.elsewhere.iter().position(|own| *own == id) {
            return Some(self.len(view) - self.elsewhere.len() + among);
        }
        if !self.query.is_empty() {
            let executed = self.executed.iter().position(|own| *own == id);
            let open = || Some(self.executed.len() + self.open.iter().position(|own| *own == id)?);
            return executed.or_else(open);
        }
        match replica.instances.get(id)?.order {
            Some(order) => usize::try_from(order.checked_sub(replica.executed_gone)?).ok(),
            None => Some(replica.executed.len() + replica.open.range(..id).count()),
        }
    }

    /// Takes note of what came, and keeps the selected instance in sight.
    pub fn settle(
        &mut self,
        view: &View,
        observer: Option<ReplicaId>,
        selected: Option<InstanceId>,
        height: usize,
    ) {
        let furthest = || {
            let replicas = ReplicaId::all(view.shape.replicas()).rev();
            replicas.max_by_key(|id| view.replica(*id).executed_ever()).unwrap_or_default()
        };
        // Of several that are as far, whoever was looked at stays: else the list would jump about.
        let ahead = |id: &ReplicaId| {
            view.replica(*id).executed_ever() > view.replica(self.observer).executed_ever()
        };
        let wanted = observer;
        let observer =
            observer.unwrap_or_else(|| Some(furthest()).filter(ahead).unwrap_or(self.observer));
        if self.observer != observer {
            self.observer = observer;
            self.forget();
        }
        if self.version != Some(view.version) || self.wanted != wanted {
            self.wanted = wanted;
            self.look_elsewhere(view);
            if !self.query.is_empty() {
                self.narrow(view);
            }
        }
        self.version = Some(view.version);
        if let Some(index) = selected.and_then(|id| self.position(view, id)) {
            self.place.selected = index;
        }
        self.place.settle(self.len(view), height);
    }

    /// With everybody's eyes, what one replica does not know of is listed too.
    fn look_elsewhere(&mut self, view: &View) {
        self.elsewhere.clear();
        if self.wanted.is_some() {
            return;
        }
        let own = &view.replica(self.observer).instances;
        for replica in &view.replicas {
            let open = replica.open.iter().rev().take(ELSEWHERE_MOST);
            let unknown = open.filter(|id| own.get(**id).is_none());
            self.elsewhere.extend(unknown.copied());
        }
        self.elsewhere.sort_unstable();
        self.elsewhere.dedup();
        if !self.query.is_empty() {
            let query = &self.query;
            self.elsewhere
                .retain(|id| query.matches(&Facets::of_instance(*id, view), || id.to_string()));
        }
    }

    fn narrow(&mut self, view: &View) {
        let replica = view.replica(self.observer);
        // Whoever came back executes everything again.
        if replica.executed_ever() < self.scanned {
            self.executed.clear();
            self.scanned = 0;
        }
        let meets = |id: &&InstanceId| {
            let payload = || {
                let known = replica.instances.get(**id);
                format!("{id} {}", known.map(|own| own.payload.to_string()).unwrap_or_default())
            };
            self.query.matches(&Facets::of_instance(**id, view), payload)
        };
        self.executed.retain(|id| !replica.let_go.contains(*id));
        let scanned = self.scanned.saturating_sub(replica.executed_gone);
        let new = replica.executed.iter().skip(usize::try_from(scanned).unwrap_or(usize::MAX));
        self.executed.extend(new.filter(meets));
        self.scanned = replica.executed_ever();
        self.open = replica.open.iter().take(OPEN_MAX).filter(meets).copied().collect();
    }
}

/// How much of what waits is looked at for a query: it changes all the time.
const OPEN_MAX: usize = 10_000;

/// How many of the latest open instances of each other replica are looked at.
const ELSEWHERE_MOST: usize = 200;
