//! `epaxos-tui propose`.

use std::path::Path;
use std::time::SystemTime;

use crate::cli::arguments::OperationArguments;
use crate::cli::{check_listed, print, read_config, resources};
use crate::epaxos::command::Outcome;
use crate::node::client::{Client, ClientError};

/// Whom to ask.
#[derive(Clone, Copy, Debug)]
pub enum Whom {
    /// Always this one.
    One(u8),
    /// Each in turn.
    RoundRobin,
}

/// Asks for an operation `count` times, and prints each answer.
pub fn run(
    config: &Path,
    whom: Whom,
    count: u32,
    operation: &OperationArguments,
) -> anyhow::Result<()> {
    let config = read_config(config)?;
    if let Whom::One(id) = whom {
        check_listed(&config, id)?;
    }
    let endpoints = config.addresses();
    let runtime = resources::runtime_here(resources::client_files(endpoints.len()))?;
    let now = micros_since_1970();
    let identity = format!("propose-{}-{now}", std::process::id());
    runtime.block_on(async {
        let clients: Vec<_> = endpoints
            .iter()
            .enumerate()
            // A client of each replica, told apart since each numbers its own requests.
            .map(|(id, endpoint)| {
                let client = Client::connect(endpoint, &format!("{identity}-{id}"))?;
                Ok::<_, ClientError>(client.numbering_from(now))
            })
            .collect::<Result<_, _>>()?;
        for turn in 0..count as usize {
            let id = match whom {
                Whom::One(id) => usize::from(id),
                Whom::RoundRobin => turn % clients.len(),
            };
            let outcome = clients[id].propose(operation.operation()).await?;
            print(&sentence(operation, &outcome, id)?)?;
        }
        Ok(())
    })
}

/// The answer in words; a key without a value is a failure.
fn sentence(
    operation: &OperationArguments,
    outcome: &Outcome,
    id: usize,
) -> anyhow::Result<String> {
    Ok(match (operation, outcome) {
        (_, Outcome::Unknown) => anyhow::bail!(
            "{id} does not know whether the request took effect; read the key, and propose again \
             what remains to be written"
        ),
        (OperationArguments::Put { key, value }, _) => {
            format!("wrote {key:?}: {value:?} to {id}\n")
        }
        (OperationArguments::Del { key }, _) => format!("deleted {key:?} at {id}\n"),
        (OperationArguments::Get { key }, Outcome::Found(value)) => {
            format!("read {key:?}: {:?} from {id}\n", String::from_utf8_lossy(value))
        }
        (OperationArguments::Get { key }, Outcome::NotFound | Outcome::Written) => {
            anyhow::bail!("{key:?} is not found at {id}")
        }
    })
}

/// Tells processes apart: requests are remembered by client, and a second process of the same name
/// would be taken to repeat what the first one asked. The numbers of requests begin there, too: a
/// replica that has forgotten many clients takes a low number for one that may have been used.
#[expect(clippy::disallowed_methods, reason = "to tell processes apart, not for the protocol")]
fn micros_since_1970() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
