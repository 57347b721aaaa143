//! Whether the machine stood still while something was tested.

#![expect(clippy::disallowed_methods, reason = "real time is what this is about")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Plays what goes by real time; and again, a few times at most, where it has failed while the machine
/// stood still, which says nothing. A failure while everything went on is one, the first time.
pub fn calmly(play: impl Fn()) {
    for _ in 0..4 {
        let watch = Watch::begin();
        let played = catch_unwind(AssertUnwindSafe(&play));
        let longest = watch.end();
        match played {
            Ok(()) => return,
            Err(panic) if longest < STILL => resume_unwind(panic),
            Err(_) => eprintln!("all stood still for {longest:?}: it is played again"),
        }
    }
    play();
}

/// Somebody who does nothing but look at the clock, and should never find that much time has gone.
struct Watch {
    over: Arc<AtomicBool>,
    looking: JoinHandle<Duration>,
}

impl Watch {
    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = over.clone();
        let looking = thread::spawn(move || {
            let (mut longest, mut last) = (Duration::ZERO, Instant::now());
            while !ends.load(Ordering::Relaxed) {
                thread::sleep(LOOK);
                longest = longest.max(last.elapsed().saturating_sub(LOOK));
                last = Instant::now();
            }
            longest
        });
        Self { over, looking }
    }

    /// The longest time for which it was kept from looking.
    fn end(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.looking.join().expect("it only looks")
    }
}

const LOOK: Duration = Duration::from_millis(5);

/// From when on a machine is said to have stood still: half of the shortest time that a test which
/// is played here goes by.
const STILL: Duration = Duration::from_millis(50);
