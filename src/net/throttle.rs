//! Log lines about what strangers do: as many as a person can read, however many things happen.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// Lets one line pass each [`INTERVAL`], and counts those that it keeps back.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    kept_back: u64,
}

impl Throttle {
    /// Calls `log` unless it was called a moment ago, with an addition to the line that says how many
    /// lines were kept back since.
    pub fn log(&self, log: impl FnOnce(&str)) {
        let more = {
            let mut state = self.0.lock().expect("no panic while it is held");
            if state.last.is_some_and(|last| last.elapsed() < INTERVAL) {
                state.kept_back += 1;
                return;
            }
            state.last = Some(Instant::now());
            std::mem::take(&mut state.kept_back)
        };
        if more == 0 { log("") } else { log(&format!(" ({more} more since the last such line)")) }
    }
}

/// How often a line may come.
const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_come_at_once_are_counted_and_not_logged() {
        let throttle = Throttle::default();
        let mut lines = Vec::new();
        for _ in 0..1000 {
            throttle.log(|more| lines.push(more.to_owned()));
        }
        assert!(lines.len() < 1000, "some are kept back");
        let last = Instant::now().checked_sub(2 * INTERVAL);
        {
            let mut state = throttle.0.lock().unwrap();
            *state = State { last, kept_back: 7 };
        }
        let mut said = String::new();
        throttle.log(|more| more.clone_into(&mut said));
        assert_eq!(said, " (7 more since the last such line)");
    }
}
