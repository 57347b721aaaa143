//! `config.json`: where the replicas listen, and nothing else.
//!
//! ```json
//! {"Replicas": [{"Host": "localhost", "Port": "9001"}, {"Host": "localhost", "Port": 9002}]}
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::epaxos::quorum::CLUSTER_SIZES;
use crate::files;
use crate::files::{Kind, ReadError};

/// The endpoints of a cluster, replica 0 first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// One for each replica.
    pub endpoints: Vec<Endpoint>,
}

/// Where a replica listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An IPv6 address is told from its port by brackets.
        if self.host.contains(':') && !self.host.starts_with('[') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(#[from] ReadError),
    /// The file does not have the form above.
    #[error("{path} is not a configuration: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The number of replicas is not one that a cluster can have.
    #[error("{path} lists {found} replicas; a cluster has 3, 5, 7 or 9")]
    Size {
        /// The file.
        path: PathBuf,
        /// How many it lists.
        found: usize,
    },
    /// A host is empty, or two replicas share an endpoint.
    #[error("{path}: {reason}")]
    Endpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong, and with which replica.
        reason: String,
    },
}

impl Config {
    /// Reads a configuration from a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &files::read_text(path, Kind::Configuration)?)
    }

    /// Reads a configuration from the text of the file at `path`.
    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file: File = serde_json::from_str(text)
            .map_err(|source| ConfigError::Malformed { path: path.to_owned(), source })?;
        if !CLUSTER_SIZES.contains(&file.replicas.len()) {
            return Err(ConfigError::Size { path: path.to_owned(), found: file.replicas.len() });
        }
        let refuse = |reason| ConfigError::Endpoint { path: path.to_owned(), reason };
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for (index, replica) in file.replicas.into_iter().enumerate() {
            let endpoint = Endpoint { host: replica.host, port: replica.port.0 };
            if endpoint.host.trim().is_empty() {
                return Err(refuse(format!("replica {index} has an empty host")));
            }
            if let Some(other) = endpoints.iter().position(|other| *other == endpoint) {
                return Err(refuse(format!("replicas {other} and {index} are both at {endpoint}")));
            }
            endpoints.push(endpoint);
        }
        Ok(Self { endpoints })
    }

    /// The endpoints as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        self.endpoints.iter().map(Endpoint::to_string).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "Replicas")]
    replicas: Vec<Replica>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replica {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "Port")]
    port: Port,
}

/// A port, written as a number or as a string.
#[derive(Deserialize)]
#[serde(try_from = "PortText")]
struct Port(u16);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a port, as a number or a string of one")]
enum PortText {
    Number(u64),
    Text(String),
}

impl TryFrom<PortText> for Port {
    type Error = String;

    fn try_from(port: PortText) -> Result<Self, String> {
        let text = match port {
            PortText::Number(number) => number.to_string(),
            PortText::Text(text) => text,
        };
        match text.parse() {
            Ok(0) | Err(_) => Err(format!("\"{text}\" is not a port from 1 to 65535")),
            Ok(port) => Ok(Self(port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("c.json"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn ports_are_strings_or_numbers() {
        let config = parse(
            r#"{"Replicas":[{"Host":"localhost","Port":"9001"},{"Host":"localhost","Port":9002},{"Host":"::1","Port":"9001"}]}"#,
        );
        assert_eq!(config.unwrap().addresses(), ["localhost:9001", "localhost:9002", "[::1]:9001"]);
    }

    #[test]
    fn the_one_in_the_repository_lists_five() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.json");
        assert_eq!(Config::read(&path).unwrap().endpoints.len(), 5);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| parse(text).unwrap_err();
        assert!(error("").starts_with("c.json is not a configuration: "));
        assert_eq!(
            error(r#"{"Replicas":[]}"#),
            "c.json lists 0 replicas; a cluster has 3, 5, 7 or 9"
        );
        let one =
            |replica: &str| error(&format!(r#"{{"Replicas":[{replica},{replica},{replica}]}}"#));
        assert_eq!(one(r#"{"Host":"a","Port":"1"}"#), "c.json: replicas 0 and 1 are both at a:1");
        assert!(one(r#"{"Host":"a","Port":"x"}"#).contains("\"x\" is not a port from 1 to 65535"));
        assert!(one(r#"{"Host":"a","Port":0}"#).contains("\"0\" is not a port"));
        assert!(one(r#"{"Host":"a","Port":-1}"#).contains("expected a port"));
        assert!(one(r#"{"Host":"a"}"#).contains("missing field `Port`"));
        assert_eq!(one(r#"{"Host":" ","Port":1}"#), "c.json: replica 0 has an empty host");
        assert!(matches!(
            Config::read(Path::new("/no/such/file")),
            Err(ConfigError::Unreadable(_))
        ));
    }
}
