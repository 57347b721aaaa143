//! What is wrong with replicas, whatever a scenario expects.

use crate::check::Property;
use crate::epaxos::replica::ReplyOn;
use crate::grade::outside::{Between, Outside};

impl Outside {
    /// What must be true of every run, and was not of this one.
    pub fn violations(&mut self) -> Vec<String> {
        let seen = |property: &Property| JUDGED.contains(property);
        let found = self.checker.violations().iter().filter(|it| seen(&it.property));
        let mut found: Vec<_> = found.map(ToString::to_string).collect();
        if self.view.shape.reply_on() == ReplyOn::Execute {
            found.extend(self.calls.violations());
        }
        if let Some(Between { processes, relays, .. }) = &mut self.between {
            if let Some(replica) = processes.fallen() {
                found.push(format!("{replica} has ended by itself"));
            }
            match relays.refused() {
                0 => {}
                1 => found.push("one message between replicas made no sense".to_owned()),
                count => found.push(format!("{count} messages between replicas made no sense")),
            }
            if relays.lost() > 0 {
                found.push(format!(
                    "{} messages could not be handed over: a replica that is up does not take what \
                     others say",
                    relays.lost()
                ));
            }
        }
        found
    }
}

/// What can be judged by what replicas say.
const JUDGED: [Property; 8] = [
    Property::Nontriviality,
    Property::Agreement,
    Property::Stability,
    Property::Visibility,
    Property::Ballots,
    Property::Proposals,
    Property::Growth,
    Property::Choice,
];
