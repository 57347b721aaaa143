//! A number of bytes that many tasks share. A task takes its part before it keeps something, and
//! waits while too much is taken; the part returns when the task drops it.
//!
//! Unlike a semaphore, a budget can be overdrawn: an answer that exists already is charged whether
//! or not there is room for it, and everything else waits until the debt is paid.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A bound on bytes. Tasks are served in the order in which they ask.
#[derive(Debug)]
pub struct Budget {
    /// Bytes that may be taken at a time.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// The most that was ever taken.
    most: usize,
    /// Bytes that tasks wait for, and how to wake each.
    waiting: VecDeque<(usize, oneshot::Sender<Share>)>,
}

impl State {
    /// More than the whole limit fits where nothing else is taken, so that no task waits for ever.
    fn fits(&self, bytes: usize, limit: usize) -> bool {
        self.taken == 0 || self.taken.saturating_add(bytes) <= limit
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        self.most = self.most.max(self.taken);
    }
}

/// A part of a budget. Returns to it when dropped.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// Bytes that are taken now.
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// The most bytes that were ever taken at a time.
    pub fn most(&self) -> usize {
        self.lock().most
    }

    /// Whether more than half of it is taken.
    pub fn is_scarce(&self) -> bool {
        self.taken() > self.limit / 2
    }

    fn try_take(self: &Arc<Self>, bytes: usize) -> Option<Share> {
        let mut state = self.lock();
        if !state.waiting.is_empty() || !state.fits(bytes, self.limit) {
            return None;
        }
        state.take(bytes);
        Some(Share { budget: self.clone(), bytes })
    }

    fn force(self: &Arc<Self>, bytes: usize) -> Share {
        self.lock().take(bytes);
        Share { budget: self.clone(), bytes }
    }

    async fn take(self: &Arc<Self>, bytes: usize) -> Share {
        let granted = {
            let mut state = self.lock();
            if state.waiting.is_empty() && state.fits(bytes, self.limit) {
                state.take(bytes);
                return Share { budget: self.clone(), bytes };
            }
            let (grant, granted) = oneshot::channel();
            state.waiting.push_back((bytes, grant));
            granted
        };
        granted.await.expect("the budget is here, and grants what its queue asks for")
    }

    /// Takes bytes back, and grants what fits to those that wait.
    fn release(self: &Arc<Self>, bytes: usize) {
        let mut freed = bytes;
        loop {
            let (bytes, grant) = {
                let mut state = self.lock();
                state.taken -= mem::take(&mut freed);
                let Some((bytes, _)) = state.waiting.front() else { return };
                if !state.fits(*bytes, self.limit) {
                    return;
                }
                let (bytes, grant) = state.waiting.pop_front().expect("it is the front");
                state.take(bytes);
                (bytes, grant)
            };
            if let Err(mut share) = grant.send(Share { budget: self.clone(), bytes }) {
                // The task has gone. The next turn of the loop releases its bytes, not the drop.
                freed = mem::take(&mut share.bytes);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two budgets that are taken together: that of one connection, and that of all.
#[derive(Clone, Debug)]
pub struct Account {
    own: Arc<Budget>,
    total: Arc<Budget>,
    /// Bytes that were taken from both.
    granted: Arc<AtomicUsize>,
    /// How often a task had to wait.
    waits: Arc<AtomicU64>,
}

/// Bytes taken from an account. They return when this is dropped.
#[derive(Debug)]
pub struct Charge {
    granted: Arc<AtomicUsize>,
    own: Share,
    _total: Share,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.granted.fetch_sub(self.own.bytes, Ordering::Relaxed);
    }
}

impl Account {
    /// An account of one connection, of `limit` bytes, which draws on `total`, too. `waits` counts how
    /// often a task has to wait.
    pub fn new(limit: usize, total: Arc<Budget>, waits: Arc<AtomicU64>) -> Self {
        Self { own: Budget::new(limit), total, granted: Arc::default(), waits }
    }

    fn charge(&self, own: Share, total: Share) -> Charge {
        self.granted.fetch_add(own.bytes, Ordering::Relaxed);
        Charge { granted: self.granted.clone(), own, _total: total }
    }

    /// Takes bytes if there is room for them now.
    pub fn try_take(&self, bytes: usize) -> Option<Charge> {
        let own = self.own.try_take(bytes)?;
        Some(self.charge(own, self.total.try_take(bytes)?))
    }

    /// Takes bytes once there is room for them.
    pub async fn take(&self, bytes: usize) -> Charge {
        if let Some(charge) = self.try_take(bytes) {
            return charge;
        }
        self.waits.fetch_add(1, Ordering::Relaxed);
        let own = self.own.take(bytes).await;
        self.charge(own, self.total.take(bytes).await)
    }

    /// Takes bytes whether or not there is room for them: what they pay for is there already. Of the
    /// total they take no more than the connection's own limit leaves, so that a connection in debt
    /// waits by itself, and keeps no other one waiting.
    pub fn force(&self, bytes: usize) -> Charge {
        let room = self.own.limit.saturating_sub(self.own.taken());
        self.charge(self.own.force(bytes), self.total.force(bytes.min(room)))
    }

    /// Bytes that the connection has taken, less those that it waits for.
    pub fn taken(&self) -> usize {
        self.granted.load(Ordering::Relaxed)
    }

    /// Whether more than half of what all connections may take is taken.
    pub fn is_scarce(&self) -> bool {
        self.total.is_scarce()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn account(limit: usize, total: &Arc<Budget>) -> Account {
        Account::new(limit, total.clone(), Arc::default())
    }

    #[test]
    fn a_task_waits_until_there_is_room_for_it_and_for_those_before_it() {
        let total = Budget::new(100);
        let account = account(100, &total);
        let first = account.try_take(60).unwrap();
        let mut large = Box::pin(account.take(50));
        assert!(large.as_mut().now_or_never().is_none(), "there are 40 left");
        assert!(account.try_take(10).is_none(), "the large one comes first");
        drop(first);
        let large = large.now_or_never().expect("there is room");
        assert_eq!((total.taken(), total.most()), (50, 60));
        assert!(account.try_take(50).is_some());
        drop(large);
        assert_eq!((total.taken(), account.taken()), (0, 0));
        assert_eq!(account.waits.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_task_that_gives_up_takes_nothing_and_stops_none() {
        let total = Budget::new(10);
        let account = account(10, &total);
        let first = account.try_take(10).unwrap();
        let mut waiting: Vec<_> = (0..1000).map(|_| Box::pin(account.take(10))).collect();
        for wait in &mut waiting {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        let last = waiting.pop().unwrap();
        drop(waiting);
        drop(first);
        drop(last.now_or_never().expect("the others have gone"));
        assert_eq!((total.taken(), account.taken()), (0, 0));
    }

    #[test]
    fn what_is_larger_than_the_limit_goes_alone() {
        let total = Budget::new(10);
        let account = account(10, &total);
        let large = account.try_take(1000).expect("nothing else is taken");
        assert!(account.try_take(1).is_none());
        drop(large);
        assert!(account.try_take(1).is_some());
    }

    #[test]
    fn a_debt_is_paid_before_anything_else_is_taken() {
        let total = Budget::new(10);
        let account = account(10, &total);
        let debts = [account.force(8), account.force(8)];
        assert!(total.is_scarce() && account.try_take(1).is_none());
        let [first, second] = debts;
        drop(first);
        assert!(account.try_take(3).is_none());
        drop(second);
        assert!(account.try_take(3).is_some());
    }

    #[test]
    fn a_connection_in_debt_keeps_no_other_waiting() {
        let total = Budget::new(20);
        let (debtor, other) = (account(10, &total), account(10, &total));
        let debts: Vec<_> = (0..10).map(|_| debtor.force(8)).collect();
        assert_eq!((debtor.taken(), total.taken()), (80, 10));
        assert!(debtor.try_take(1).is_none());
        assert!(other.try_take(10).is_some(), "the debtor has its own limit of the total");
        drop(debts);
        assert_eq!((debtor.taken(), total.taken()), (0, 0));
        assert!(debtor.try_take(10).is_some());
    }

    #[test]
    fn one_connection_has_its_limit_and_all_have_theirs() {
        let total = Budget::new(100);
        let (one, other) = (account(60, &total), account(60, &total));
        let first = one.try_take(50).unwrap();
        assert!(one.try_take(20).is_none(), "its own limit");
        assert!(other.try_take(60).is_none(), "that of all");
        let second = other.try_take(50).unwrap();
        assert_eq!(total.taken(), 100);
        drop((first, second));
        assert_eq!((total.taken(), one.taken(), other.taken()), (0, 0, 0));
    }
}
