//! What clients have asked for, and been told.

use std::collections::BTreeMap;

use crate::check::Property;
use crate::check::history::{Call, Verdict, verdict};
use crate::epaxos::command::{Command, Key, Outcome, RequestId};

/// All calls, by key.
#[derive(Debug, Default)]
pub struct Calls {
    /// Counts what happens.
    clock: u64,
    of: BTreeMap<Key, BTreeMap<RequestId, Call>>,
}

impl Calls {
    /// A client asks for something.
    pub fn ask(&mut self, command: &Command) {
        self.clock += 1;
        let (operation, asked) = (command.operation.clone(), self.clock);
        let call = Call { operation, asked, answer: None, hint: 0 };
        let of = self.of.entry(command.operation.key().clone()).or_default();
        of.insert(command.request.clone(), call);
    }

    /// A client is answered.
    pub fn answer(&mut self, command: &Command, outcome: &Outcome) {
        self.clock += 1;
        if *outcome == Outcome::Unknown {
            // As without an answer, it may have taken effect or not.
            return;
        }
        let of = self.of.get_mut(command.operation.key());
        if let Some(call) = of.and_then(|calls| calls.get_mut(&command.request)) {
            call.answer = Some((self.clock, outcome.clone()));
        }
    }

    /// Where clients could tell the cluster from a single store.
    pub fn violations(&self) -> Vec<String> {
        let property = Property::Linearizability.name();
        let odd = |(_, calls): &(&Key, &BTreeMap<RequestId, Call>)| {
            verdict(calls.values().cloned().collect()) == Verdict::NotLinearizable
        };
        let sentence = |(key, _)| {
            format!(
                "{property}: no order of the operations on {key} explains what clients were told"
            )
        };
        self.of.iter().filter(odd).map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epaxos::command::Operation;

    #[test]
    fn a_read_of_what_was_overwritten_is_told_from_one_that_is_not() {
        let mut calls = Calls::default();
        let mut number = 0;
        let mut call = |calls: &mut Calls, operation, outcome| {
            number += 1;
            let command = Command { request: RequestId::named("ann", number), operation };
            calls.ask(&command);
            calls.answer(&command, &outcome);
        };
        call(&mut calls, Operation::put("x", "1"), Outcome::Written);
        call(&mut calls, Operation::put("x", "2"), Outcome::Written);
        call(&mut calls, Operation::get("x"), Outcome::Found(b"2".into()));
        assert_eq!(calls.violations(), Vec::<String>::new());
        call(&mut calls, Operation::get("x"), Outcome::Found(b"1".into()));
        assert_eq!(
            calls.violations(),
            ["linearizability: no order of the operations on x explains what clients were told"]
        );
    }
}
