//! A client of one replica, for tools: it has a name, numbers its requests, and so may repeat them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::epaxos::command::{Command, Operation, Outcome, RequestId};
use crate::net::client::{CallError, Connection};

/// Why a proposal has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// What was given is no address.
    #[error("\"{0}\" is no address such as localhost:7000")]
    Endpoint(String),
    /// The replica will not have it, or cannot be reached.
    #[error("{endpoint}: {source}")]
    Call {
        /// Where the replica is.
        endpoint: String,
        /// What happened.
        source: CallError,
    },
    /// No answer came in time. The request may yet take effect.
    #[error("{endpoint} gave no answer within {}", humantime::format_duration(*.after))]
    TimedOut {
        /// Where the replica is.
        endpoint: String,
        /// How long it was waited for.
        after: Duration,
    },
}

/// A named client of one replica. Cheap to clone; clones share the numbering.
#[derive(Clone, Debug)]
pub struct Client {
    connection: Connection,
    endpoint: Arc<str>,
    identity: Arc<str>,
    next: Arc<AtomicU64>,
    timeout: Duration,
}

impl Client {
    /// A client called `identity` of the replica at `endpoint`, as `host:port`. It dials when it is
    /// first used. Called on a runtime.
    pub fn connect(endpoint: &str, identity: &str) -> Result<Self, ClientError> {
        let connection = Connection::new(endpoint);
        Ok(Self {
            connection: connection.ok_or_else(|| ClientError::Endpoint(endpoint.to_owned()))?,
            endpoint: endpoint.into(),
            identity: identity.into(),
            next: Arc::new(AtomicU64::new(1)),
            timeout: TIMEOUT,
        })
    }

    /// The same client with another patience than the usual ten seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same client, whose next request has this number. A client that is new to a cluster that has
    /// served many others begins with a number that none of them has reached, such as the time.
    #[must_use]
    pub fn numbering_from(self, number: u64) -> Self {
        Self { next: Arc::new(AtomicU64::new(number)), ..self }
    }

    /// Proposes an operation under the next number, and again under the same one where the
    /// connection fails, until an answer comes or the time is up.
    pub async fn propose(&self, operation: Operation) -> Result<Outcome, ClientError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let request = RequestId::named(&self.identity, number);
        self.propose_as(&Command { request, operation }).await
    }

    /// Proposes a command under the name that it has.
    pub async fn propose_as(&self, command: &Command) -> Result<Outcome, ClientError> {
        let mut last = None;
        let keep_asking = async {
            loop {
                match self.connection.propose(command).await {
                    Err(error @ CallError::Unreachable(_)) => last = Some(error),
                    answer => return answer,
                }
                tokio::time::sleep(RETRY).await;
            }
        };
        let answer = tokio::time::timeout(self.timeout, keep_asking).await;
        let endpoint = || self.endpoint.to_string();
        match (answer, last) {
            (Ok(answer), _) => {
                answer.map_err(|source| ClientError::Call { endpoint: endpoint(), source })
            }
            (Err(_), Some(source)) => Err(ClientError::Call { endpoint: endpoint(), source }),
            (Err(_), None) => {
                Err(ClientError::TimedOut { endpoint: endpoint(), after: self.timeout })
            }
        }
    }
}

/// How long to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before asking again.
const RETRY: Duration = Duration::from_millis(100);
