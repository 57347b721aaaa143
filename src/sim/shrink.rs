//! Cutting a run that went wrong down to what is needed for it.

use crate::sim::plan::Plan;
use crate::sim::schedule::Act;
use crate::sim::simulation::{Finding, Run, play};

/// The fewest acts, of those given, that this search finds to break the same property: first halves are
/// left out, then quarters, and so on down to single acts, until none can go (Zeller and Hildebrandt's
/// delta debugging, 2002, without its second phase). Returns the run, written down as a script.
pub fn shrink(plan: &Plan, acts: &[Act], finding: &Finding) -> Run {
    let mut acts = acts.to_vec();
    let mut size = acts.len().div_ceil(2).max(1);
    loop {
        let before = acts.len();
        let mut start = 0;
        while start < acts.len() {
            let end = (start + size).min(acts.len());
            let rest = [&acts[..start], &acts[end..]].concat();
            let run = play(plan, &rest, false);
            if run.finding.as_ref().is_some_and(|found| is_same(found, finding)) {
                // What could not be done any more is left out, too.
                acts = run.acts;
            } else {
                start = end;
            }
        }
        if size == 1 && acts.len() == before {
            break;
        }
        size = (size / 2).max(1);
    }
    play(plan, &acts, true)
}

fn is_same(found: &Finding, wanted: &Finding) -> bool {
    found.property == wanted.property && found.late == wanted.late
}
