//! A run once more, on a fresh cluster.

use crate::multiverse::tree::{BranchId, Multiverse};
use crate::node::live::{LiveWorld, Rerun, Unlike};

/// Lets a run happen once more on a fresh cluster over gRPC, and says what came of it; or, where
/// something else did, what.
pub(super) fn rerun(multiverse: &Multiverse) -> Result<String, String> {
    let expected = multiverse.expected(BranchId::MAIN).map_err(|astray| astray.to_string())?;
    let Rerun { same, ended } = LiveWorld::rerun(multiverse.shape(), &expected, |_| ())?;
    let said = format!("{same} of {} entries came to the same on gRPC", expected.len());
    match ended {
        None => Ok(said),
        Some(failure @ Unlike::Failure { .. }) => Ok(format!("{said}; {failure}")),
        Some(unlike) => Err(format!("{said}; {unlike}")),
    }
}
