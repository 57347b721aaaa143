//! Cutting a run that went wrong down to what is needed for it.

use crate::sim::plan::Plan;
use crate::sim::schedule::Act;
use crate::sim::simulation::{Finding, Run, play};

/// The fewest acts, of those given, that this search finds to break the same property. Returns the run,
/// written down as a script.
pub fn shrink(plan: &Plan, acts: &[Act], finding: &Finding) -> Run {
    let again = |acts: &[Act]| {
        let run = play(plan, acts, false);
        run.finding.is_some_and(|found| is_same(&found, finding)).then_some(run.acts)
    };
    play(plan, &fewest(acts.to_vec(), again), true)
}

/// The fewest acts, of those given, with which `again` still finds what is looked for, as far as leaving
/// some out shows: first halves are left out, then quarters, and so on down to single acts, until none
/// can go (Zeller and Hildebrandt's delta debugging, 2002, without its second phase). `again` returns the
/// acts that could be done: what could not be done any more is left out, too.
pub fn fewest(mut acts: Vec<Act>, again: impl Fn(&[Act]) -> Option<Vec<Act>>) -> Vec<Act> {
    let mut size = acts.len().div_ceil(2).max(1);
    loop {
        let before = acts.len();
        let mut start = 0;
        while start < acts.len() {
            let end = (start + size).min(acts.len());
            let rest = [&acts[..start], &acts[end..]].concat();
            match again(&rest) {
                Some(done) => acts = done,
                None => start = end,
            }
        }
        if size == 1 && acts.len() == before {
            return acts;
        }
        size = (size / 2).max(1);
    }
}

fn is_same(found: &Finding, wanted: &Finding) -> bool {
    found.property == wanted.property && found.late == wanted.late
}
