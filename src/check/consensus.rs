//! What is decided, and the ballots in which it is: agreement, visibility, and that no quorum's choice
//! is ever lost.

use crate::check::execution::Executions;
use crate::check::fact::{Fact, Record};
use crate::check::{Property, Report};
use crate::epaxos::attributes::{Attributes, Dependencies};
use crate::epaxos::command::{Operation, Payload};
use crate::epaxos::id::{Ballot, InstanceId, ReplicaId};
use crate::epaxos::instance::{Path, Phase};
use crate::epaxos::keys::KeyMap;
use crate::epaxos::quorum::{Quorums, ReplicaSet};
use crate::epaxos::space::Rows;

/// What is agreed on.
pub(super) type Tuple = (Payload, Attributes);

/// What all replicas together have shown.
#[derive(Clone, Debug)]
pub(super) struct Consensus {
    quorums: Quorums,
    instances: Rows<Ghost>,
    /// Per replica, what it has shown of each instance.
    replicas: Vec<Rows<Shown>>,
    /// Per key, the decided instances that touch it.
    keys: KeyMap<Vec<Touching>>,
    decided: u64,
    /// What is over, and not looked at any more.
    gone: Dependencies,
}

/// One instance, as nobody in the cluster sees it: from all sides at once.
#[derive(Clone, Debug, Default)]
struct Ghost {
    /// What clients asked the leader for.
    submitted: Option<Payload>,
    /// What the leader asked others to record.
    proposal: Option<Tuple>,
    /// What was proposed in each ballot that a vote was asked for in, and who has voted.
    ballots: Vec<(Ballot, Tuple, ReplicaSet)>,
    /// What is known to be chosen, and in which ballot.
    chosen: Option<(Ballot, Tuple)>,
    /// The first decision that was shown, and by whom.
    decision: Option<(ReplicaId, Tuple)>,
}

/// An instance as one replica has shown it.
#[derive(Clone, Copy, Debug)]
struct Shown {
    ballot: Ballot,
    /// The ballot of its last vote.
    voted: Option<Ballot>,
    decided: bool,
}

/// The decided instances of a row that touch a key, by slot, and whether they write it.
type Touching = std::collections::BTreeMap<u64, bool>;

impl Consensus {
    pub(super) fn new(quorums: Quorums) -> Self {
        let replicas = quorums.replicas();
        Self {
            quorums,
            instances: Rows::new(replicas),
            replicas: (0..replicas).map(|_| Rows::new(replicas)).collect(),
            keys: KeyMap::default(),
            decided: 0,
            gone: Dependencies::NONE,
        }
    }

    /// How many instances are decided.
    pub(super) fn decided(&self) -> u64 {
        self.decided
    }

    /// The decision of an instance, once somebody has shown it.
    pub(super) fn decision(&self, id: InstanceId) -> Option<&Tuple> {
        self.instances.get(id)?.decision.as_ref().map(|(_, tuple)| tuple)
    }

    /// What is over, and not looked at any more.
    pub(super) fn gone(&self) -> &Dependencies {
        &self.gone
    }

    /// Forgets the beginning of each row: everybody has executed it, so that whatever is decided from
    /// now on comes after it, depend on it or not. Tells what it was.
    pub(super) fn forget(
        &mut self,
        upto: &Dependencies,
        mut told: impl FnMut(InstanceId, &Payload),
    ) {
        for row in ReplicaId::all(self.quorums.replicas()) {
            for slot in self.gone.prefix(row)..upto.prefix(row) {
                let id = InstanceId::new(row, slot);
                for shown in &mut self.replicas {
                    shown.remove(id);
                }
                let ghost = self.instances.remove(id);
                if let Some((_, (payload, _))) = ghost.and_then(|ghost| ghost.decision) {
                    told(id, &payload);
                }
            }
        }
        self.gone.merge(upto);
    }

    pub(super) fn see(
        &mut self,
        replica: ReplicaId,
        fact: &Fact<'_>,
        executions: &Executions,
        report: &mut Report,
    ) {
        if fact.deciding().is_some_and(|id| self.gone.contains(id)) {
            return;
        }
        match fact {
            Fact::Led { instance, commands, .. } => {
                let ghost = self.instances.get_or_insert_with(*instance, Ghost::default);
                if ghost.submitted.is_some() {
                    let sentence = format!("{replica} leads a second command in {instance}");
                    report.violation(Property::Proposals, replica, *instance, sentence);
                }
                ghost.submitted = Some(Payload::Commands((*commands).clone()));
            }
            Fact::Joined { instance, ballot } => {
                self.join(replica, *instance, *ballot, report);
            }
            Fact::Recorded(record) => self.record(replica, record, executions, report),
            Fact::AskedToPreAccept { instance, payload, attributes } => {
                self.quote(replica, *instance, payload, *attributes, report);
            }
            Fact::Quoted { instance, proposal } => {
                self.quote(replica, *instance, &proposal.payload, proposal.attributes, report);
            }
            Fact::AskedToAccept { instance, ballot, payload, attributes } => {
                self.propose(replica, *instance, *ballot, payload, *attributes, report);
            }
            _ => {}
        }
    }

    /// Somebody says what the leader first proposed, the leader itself before all others.
    fn quote(
        &mut self,
        replica: ReplicaId,
        id: InstanceId,
        payload: &Payload,
        attributes: Attributes,
        report: &mut Report,
    ) {
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        let (proposed, with) = ghost.proposal.get_or_insert_with(|| (payload.clone(), attributes));
        if (&*proposed, *with) != (payload, attributes) {
            let sentence = format!("{id} is proposed with {with}, and {replica} says {attributes}");
            report.violation(Property::Proposals, replica, id, sentence);
        }
    }

    /// A replica is in a ballot now.
    fn join(
        &mut self,
        replica: ReplicaId,
        id: InstanceId,
        ballot: Ballot,
        report: &mut Report,
    ) -> &mut Shown {
        let shown = self.replicas[replica.index()].get_or_insert_with(id, || Shown {
            ballot,
            voted: None,
            decided: false,
        });
        if ballot < shown.ballot {
            let sentence = format!("{replica} goes back from {} to {ballot} of {id}", shown.ballot);
            report.violation(Property::Ballots, replica, id, sentence);
        }
        shown.ballot = ballot;
        shown
    }

    fn record(
        &mut self,
        replica: ReplicaId,
        record: &Record<'_>,
        executions: &Executions,
        report: &mut Report,
    ) {
        let id = record.instance;
        let shown = self.join(replica, id, record.ballot, report);
        if shown.decided {
            let sentence = format!("{replica} changes {id} after it was decided there");
            report.violation(Property::Stability, replica, id, sentence);
            return;
        }
        match record.phase {
            Phase::Initial => {}
            Phase::PreAccepted => self.pre_accepted(replica, record, report),
            Phase::Accepted => self.accepted(replica, record, report),
            Phase::Committed | Phase::Executed => {
                shown.decided = true;
                self.committed(replica, record, executions, report);
            }
        }
    }

    fn pre_accepted(&mut self, replica: ReplicaId, record: &Record<'_>, report: &mut Report) {
        let (id, attributes) = (record.instance, record.attributes);
        if !record.ballot.is_initial() {
            let sentence = format!("{replica} pre-accepts {id} after joining {}", record.ballot);
            report.violation(Property::Ballots, replica, id, sentence);
        }
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        if replica == id.replica {
            ghost.proposal.get_or_insert_with(|| (record.payload.clone(), attributes));
        } else if let Some((_, proposed)) = &ghost.proposal {
            let mut grown = *proposed;
            grown.merge(&attributes);
            if grown != attributes {
                let sentence =
                    format!("{replica} records {id} with {attributes}, less than {proposed}");
                report.violation(Property::Growth, replica, id, sentence);
            }
        }
    }

    fn accepted(&mut self, replica: ReplicaId, record: &Record<'_>, report: &mut Report) {
        let Record { instance: id, ballot, payload, attributes, .. } = *record;
        let shown = self.replicas[replica.index()].get_mut(id).expect("it was just joined");
        if let Some(voted) = shown.voted.filter(|voted| *voted > ballot) {
            let sentence = format!("{replica} votes in {ballot} of {id} after {voted}");
            report.violation(Property::Ballots, replica, id, sentence);
        }
        shown.voted = Some(ballot);
        if ballot.replica == replica {
            self.propose(replica, id, ballot, payload, attributes, report);
        }
        let slow = self.quorums.slow();
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        let Some((_, tuple, voters)) = ghost.ballots.iter_mut().find(|(of, ..)| *of == ballot)
        else {
            let sentence =
                format!("{replica} votes in {ballot} of {id}, where nothing is proposed");
            return report.violation(Property::Ballots, replica, id, sentence);
        };
        if (&tuple.0, tuple.1) != (payload, attributes) {
            let sentence = format!(
                "{replica} votes in {ballot} of {id} for {payload} {attributes}, not for {} {}",
                tuple.0, tuple.1
            );
            return report.violation(Property::Ballots, replica, id, sentence);
        }
        voters.insert(replica);
        if voters.len() >= slow {
            let tuple = tuple.clone();
            self.choose(replica, id, ballot, tuple, report);
        }
    }

    /// Somebody asks for votes.
    fn propose(
        &mut self,
        replica: ReplicaId,
        id: InstanceId,
        ballot: Ballot,
        payload: &Payload,
        attributes: Attributes,
        report: &mut Report,
    ) {
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        if let Some((_, tuple, _)) = ghost.ballots.iter().find(|(of, ..)| *of == ballot) {
            if (&tuple.0, tuple.1) != (payload, attributes) {
                let sentence = format!(
                    "{ballot} of {id} has the proposals {} {} and {payload} {attributes}",
                    tuple.0, tuple.1
                );
                report.violation(Property::Proposals, replica, id, sentence);
            }
            return;
        }
        if let Some((of, (chosen, with))) = &ghost.chosen
            && *of < ballot
            && (chosen, *with) != (payload, attributes)
        {
            let sentence = format!(
                "{replica} proposes {payload} {attributes} in {ballot} of {id}, after {chosen} \
                 {with} was chosen in {of}"
            );
            report.violation(Property::Choice, replica, id, sentence);
        }
        let tuple = (payload.clone(), attributes);
        ghost.ballots.push((ballot, tuple, ReplicaSet::default()));
    }

    /// A quorum has chosen.
    fn choose(
        &mut self,
        replica: ReplicaId,
        id: InstanceId,
        ballot: Ballot,
        tuple: Tuple,
        report: &mut Report,
    ) {
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        let later = ghost.ballots.iter().find(|(of, other, _)| *of > ballot && *other != tuple);
        if let Some((of, (payload, attributes), _)) = later {
            let sentence = format!(
                "{} {} is chosen in {ballot} of {id}, and {of} has {payload} {attributes}",
                tuple.0, tuple.1
            );
            report.violation(Property::Choice, replica, id, sentence);
        }
        match &ghost.chosen {
            Some((of, _)) if *of <= ballot => {}
            _ => ghost.chosen = Some((ballot, tuple)),
        }
    }

    fn committed(
        &mut self,
        replica: ReplicaId,
        record: &Record<'_>,
        executions: &Executions,
        report: &mut Report,
    ) {
        let Record { instance: id, payload, attributes, path, .. } = *record;
        let tuple = (payload.clone(), attributes);
        let ghost = self.instances.get_or_insert_with(id, Ghost::default);
        if let Some((first, decided)) = &ghost.decision {
            if *decided != tuple {
                let sentence = format!(
                    "{id} is {} {} at {first} and {payload} {attributes} at {replica}",
                    decided.0, decided.1
                );
                report.violation(Property::Agreement, replica, id, sentence);
            }
            return;
        }
        ghost.decision = Some((replica, tuple.clone()));
        self.decided += 1;
        if *payload != Payload::Noop && ghost.submitted.as_ref() != Some(payload) {
            let sentence =
                format!("{id} is decided to be {payload}, which nobody asked {} for", id.replica);
            report.violation(Property::Nontriviality, replica, id, sentence);
        }
        if path == Some(Path::Fast) {
            self.choose(replica, id, Ballot::initial(id.replica), tuple, report);
        }
        self.check_visibility(replica, record, executions, report);
    }

    /// Compares a decision with every other one that it interferes with and does not depend on. What
    /// everybody has executed and somebody has let go comes first in any case.
    fn check_visibility(
        &mut self,
        replica: ReplicaId,
        record: &Record<'_>,
        executions: &Executions,
        report: &mut Report,
    ) {
        let Record { instance: id, payload, attributes, .. } = *record;
        if attributes.deps.contains(id) {
            let sentence = format!("{id} depends on itself: {attributes}");
            report.violation(Property::Visibility, replica, id, sentence);
        }
        let replicas = self.quorums.replicas();
        for operation in payload.operations() {
            let rows = self
                .keys
                .get_or_insert_with(operation.key(), |_| vec![Touching::default(); replicas]);
            for row in ReplicaId::all(replicas) {
                let kept = rows[row.index()].split_off(&self.gone.prefix(row));
                rows[row.index()] = kept;
                let outside = rows[row.index()].range(attributes.deps.prefix(row)..);
                for (slot, _) in outside.filter(|(_, write)| **write || operation.is_write()) {
                    let other = InstanceId::new(row, *slot);
                    let decision = self.instances.get(other).and_then(|it| it.decision.as_ref());
                    let knows = decision.is_some_and(|(_, (_, of))| of.deps.contains(id));
                    if other != id && !knows && !executions.is_over(other) {
                        let sentence = format!(
                            "{id} and {other} both touch {} and neither depends on the other",
                            operation.key()
                        );
                        report.violation(Property::Visibility, replica, id, sentence);
                    }
                }
            }
            let write = rows[id.replica.index()].entry(id.slot).or_default();
            *write |= Operation::is_write(operation);
        }
    }
}
