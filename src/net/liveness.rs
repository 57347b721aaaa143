//! How long a connection may get nothing through before it is given up.
//!
//! Where packets vanish, TCP repeats what it sent after ever longer pauses, up to two minutes, and so
//! would find out late that they pass again. A link that gives the connection up and dials anew
//! finds out within [`CONNECT_TIMEOUT`].
//!
//! What counts is the system at the other end and not the process: a process that was stopped for
//! a while is still there, and its system acknowledges what comes in. That rules out pings that the
//! process must answer. TCP's *user timeout* asks for the right thing: it limits for how long
//! anything sent may stay without an acknowledgement, probes of an idle connection included. Linux
//! also gives up after that time where the other end acknowledges but has no room for more. This
//! happens to a process that was stopped in the middle of a lot of traffic; it is dialled again and
//! goes on when it continues.
//!
//! Replicas within one process are stopped together, and no network lies between them: there the
//! time says nothing, and [`Distance::None`] sets no limit.

use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use socket2::{SockRef, TcpKeepalive};
use tonic::transport::{Channel, Endpoint, Error};

use crate::net::WINDOW;

/// What lies between the two ends of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distance {
    /// A network, or the border of a process.
    #[default]
    Network,
    /// Both ends are in this process.
    None,
}

/// Dials one address.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    endpoint: Endpoint,
    connector: HttpConnector,
}

impl Dialer {
    /// Dials `address`, as `host:port`; `None` where that is no address.
    pub fn new(address: &str, distance: Distance) -> Option<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
        let mut endpoint = endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(KEEP_ALIVE));
        if distance == Distance::Network {
            connector.set_keepalive_interval(Some(KEEP_ALIVE_INTERVAL));
            #[cfg(target_os = "linux")]
            connector.set_tcp_user_timeout(Some(USER_TIMEOUT));
            if cfg!(not(target_os = "linux")) {
                // Elsewhere only the process at the other end can be asked. One that was stopped
                // is dialled again when it continues.
                endpoint = endpoint
                    .http2_keep_alive_interval(KEEP_ALIVE)
                    .keep_alive_timeout(USER_TIMEOUT)
                    .keep_alive_while_idle(true);
            }
        }
        Some(Self { endpoint, connector })
    }

    /// Connects now.
    pub async fn connect(&self) -> Result<Channel, Error> {
        self.endpoint.connect_with_connector(self.connector.clone()).await
    }

    /// Connects when it is first needed, and again when the connection breaks.
    pub fn connect_lazy(&self) -> Channel {
        self.endpoint.connect_with_connector_lazy(self.connector.clone())
    }
}

/// Has the system give up connections to `listener` whose other end is gone. What is accepted
/// inherits it.
///
/// The limit is wider than that of a caller: there is nothing to dial again, and a client that was
/// stopped with answers on their way should find its connection.
pub fn give_up_dead(listener: &tokio::net::TcpListener, distance: Distance) -> io::Result<()> {
    if distance == Distance::None {
        return Ok(());
    }
    let socket = SockRef::from(listener);
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE);
    socket.set_tcp_keepalive(&keep_alive.with_interval(KEEP_ALIVE_INTERVAL))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(ACCEPTED_USER_TIMEOUT))?;
    Ok(())
}

/// How long to wait for a connection. The system asks for it after one second again and then ever
/// less often: dialling anew is what keeps asking.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long what was sent may stay without an acknowledgement: far longer than any round trip, a
/// few lost packets included.
pub const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The same where a connection was accepted.
const ACCEPTED_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may be silent before the system at the other end is asked whether it is
/// there.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How long to wait before it is asked again.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
